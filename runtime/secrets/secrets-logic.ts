import { fromPromise, type ActorRefFrom } from 'xstate';
import {
  answerOf,
  secretEntryMachine,
  type SecretAnswer,
  type SecretFetchInput,
  type SecretFetchOutcome,
} from '../../actors/secret-entry.ts';
import { secretsMachine } from '../../actors/secrets.ts';

export type SecretsLogic = typeof secretsMachine;
export type SecretsActorRef = ActorRefFrom<SecretsLogic>;

/** Beyond this a Node timer fires at once, which would make a very long TTL a busy loop. */
const longestTimerMs = 2_147_483_647;

export interface SecretsEffects {
  fetch(input: SecretFetchInput, signal: AbortSignal): Promise<SecretFetchOutcome>;
  answer(key: string, answer: SecretAnswer): void;
  evict(key: string): void;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The secrets actor with its effects: what the machine leaves open, made real. */
export function secretsLogic(effects: SecretsEffects): SecretsLogic {
  const entry = secretEntryMachine.provide({
    actors: {
      fetch: fromPromise<SecretFetchOutcome, SecretFetchInput>(({ input, signal }) =>
        effects.fetch(input, signal),
      ),
    },
    actions: {
      answer: ({ context }) => effects.answer(context.key, answerOf(context)),
      evict: ({ context }) => effects.evict(context.key),
    },
    delays: {
      // Uniform in [0.8, 1.0]: spreads the polls, and never keeps a value longer than the config allows.
      ttl: ({ context }) => Math.min(context.ttlMs * (0.8 + 0.2 * effects.random()), longestTimerMs),
    },
  });
  return secretsMachine.provide({ actors: { entry } });
}
