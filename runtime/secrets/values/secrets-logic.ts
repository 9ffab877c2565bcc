import { fromPromise, type ActorRefFrom } from 'xstate';
import {
  answerOf,
  backOffAfterMs,
  holdMs,
  pollAfterMs,
  refreshedOf,
  secretEntryMachine,
  usableUntil,
  type SecretAnswer,
  type SecretEntryContext,
  type SecretFetchInput,
  type SecretFetchOutcome,
} from '../../../actors/secret-entry.ts';
import { secretsMachine } from '../../../actors/secrets.ts';
import { LONGEST_TIMER_MS } from '../../base/clock.ts';

export type SecretsLogic = typeof secretsMachine;
export type SecretsActorRef = ActorRefFrom<SecretsLogic>;

export interface SecretsEffects {
  fetch(input: SecretFetchInput, signal: AbortSignal): Promise<SecretFetchOutcome>;
  /** Answers those who wait for the value. */
  answer(key: string, answer: SecretAnswer): void;
  /** Answers those who wait for a refresh. */
  settle(key: string, answer: SecretAnswer): void;
  evict(key: string): void;
  /** The entry looks at its secret again in so many milliseconds. */
  planned(key: string, ms: number): void;
  /** The time, on the clock of `fetchedAt`. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The secrets actor with its effects: the parts that the machine leaves open, made real. */
export function secretsLogic(effects: SecretsEffects): SecretsLogic {
  const between = (least: number): number => least + (1 - least) * effects.random();
  // A longer timer would fire at once, and make a very long TTL a busy loop.
  const timer = (ms: number): number => Math.min(Math.max(0, ms), LONGEST_TIMER_MS);
  const plan = ({ key }: SecretEntryContext, ms: number): number => {
    effects.planned(key, timer(ms));
    return timer(ms);
  };
  const entry = secretEntryMachine.provide({
    actors: {
      fetch: fromPromise<SecretFetchOutcome, SecretFetchInput>(({ input, signal }) =>
        effects.fetch(input, signal),
      ),
    },
    actions: {
      answer: ({ context }) => effects.answer(context.key, answerOf(context)),
      settle: ({ context }) => effects.settle(context.key, refreshedOf(context)),
      evict: ({ context }) => effects.evict(context.key),
    },
    delays: {
      // DEFAULTS: uniform in [0.8, 1.0] of the time to live, and in [1/2, 1] of a back-off.
      poll: ({ context }) => plan(context, pollAfterMs(context, between(0.8))),
      backOff: ({ context }) => plan(context, backOffAfterMs(context, between(0.5))),
      hold: ({ context }) => plan(context, holdMs(context, between(0.5))),
      unusable: ({ context }) => timer(usableUntil(context) - effects.now()),
    },
  });
  return secretsMachine.provide({ actors: { entry } });
}
