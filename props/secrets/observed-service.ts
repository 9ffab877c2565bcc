import { ProviderError, type ProviderFailure, type RotationHint } from '../../providers/provider.ts';
import type { FetchResult, SecretProvider, SecretRef } from '../../providers/provider.ts';
import type { SecretsClock } from '../../runtime/secrets/values/secrets-clock.ts';

/** What a secret's service does to a call: answers, at once or late, fails in a way, or never answers. */
export type Weather = ProviderFailure | 'good' | 'slow' | 'hang';

/** How late a slow answer is. */
export const lateMs = 1_500;

/** Failures after which nothing that is held may be used. */
export const refusals: ReadonlySet<Weather> = new Set<Weather>([
  'denied',
  'not-found',
  'deleted',
  'undecryptable',
  'invalid',
]);

/** What the provider's side knows of one secret. */
export interface Observed {
  /** In the order in which they were current. */
  readonly versions: string[];
  current: string;
  weather: Weather;
  /** Calls that have begun and not ended. */
  running: number;
  /** When calls began. */
  readonly begun: number[];
  /** When the call began that was the last to tell which version is current. */
  goodAt: number;
  /** What that call said. */
  told: string;
  /** A call has been refused since then. */
  refused: boolean;
}

/** A provider that says of itself what happened to it, and breaks no promise of the interface. */
export interface ObservedService {
  readonly provider: SecretProvider;
  of(id: string): Observed;
  /** Makes a new version, or an earlier one, the current one. */
  rotate(id: string, versionId: string): void;
  hint(hint: RotationHint): void;
}

export const valueOf = (id: string, versionId: string): string => `the value of ${id} in ${versionId}`;

/** @param seen hears what breaks a rule at the moment it happens */
export function createObservedService(
  ids: readonly string[],
  clock: SecretsClock,
  isOpen: () => boolean,
  seen: (what: string) => void,
): ObservedService {
  const secrets = new Map<string, Observed>(
    ids.map((id) => [
      id,
      {
        versions: ['v1'],
        current: 'v1',
        weather: 'good',
        running: 0,
        begun: [],
        goodAt: -Infinity,
        told: '',
        refused: false,
      },
    ]),
  );
  const of = (id: string): Observed => secrets.get(id) as Observed;
  let emit: (hint: RotationHint) => void = () => {};

  /** @param decides a failure of this call is one of the secret */
  async function call<T>(
    { id }: SecretRef,
    signal: AbortSignal,
    decides: (failure: ProviderFailure) => boolean,
    answer: (secret: Observed) => { readonly tellsCurrent: boolean; readonly value: T },
  ): Promise<T> {
    const secret = of(id);
    const at = clock.now();
    const { weather } = secret;
    if (secret.running > 0) seen(`two calls for ${id} at one time`);
    if (isOpen()) seen(`a call for ${id} while the breaker is open`);
    secret.running += 1;
    secret.begun.push(at);
    let over = false;
    // A call that is given up is over for whoever made it.
    const end = (): void => {
      if (!over) secret.running -= 1;
      over = true;
    };
    signal.addEventListener('abort', end, { once: true });
    try {
      // What is answered was so when it was asked.
      const { current } = secret;
      const early = weather === 'good' || weather === 'slow' ? answer(secret) : undefined;
      signal.throwIfAborted();
      if (weather === 'slow' || weather === 'hang')
        await aborted(signal, weather === 'slow' ? (end) => clock.setTimeout(end, lateMs) : undefined);
      if (weather !== 'good' && weather !== 'slow' && weather !== 'hang') {
        if (refusals.has(weather) && decides(weather)) secret.refused = true;
        throw new ProviderError(weather, `It is told to fail: ${weather}.`);
      }
      if (early?.tellsCurrent === true) Object.assign(secret, { goodAt: at, told: current, refused: false });
      return (early as { value: T }).value;
    } finally {
      end();
    }
  }

  return {
    of,
    rotate(id, versionId) {
      const secret = of(id);
      secret.versions.push(versionId);
      secret.current = versionId;
    },
    hint: (hint) => emit(hint),
    provider: {
      name: 'observed',
      capabilities: { versions: true, push: true },
      describe: (ref, signal) =>
        call(
          ref,
          signal,
          (failure) => failure !== 'denied',
          ({ current }) => ({ tellsCurrent: true, value: { current } }),
        ),
      fetch: (ref, { versionId }, signal) =>
        call(
          ref,
          signal,
          // That a version is not there says nothing of the secret.
          (failure) => versionId === undefined || (failure !== 'not-found' && failure !== 'invalid'),
          ({ versions, current }) => {
            const found = versionId ?? current;
            if (!versions.includes(found)) throw new ProviderError('not-found', 'There is no such version.');
            const isCurrent = found === current;
            const value: FetchResult = {
              versionId: found,
              stages: isCurrent ? ['AWSCURRENT'] : [],
              bytes: new TextEncoder().encode(valueOf(ref.id, found)),
            };
            return { tellsCurrent: isCurrent, value };
          },
        ),
      classify: (error) => (error instanceof ProviderError ? error.failure : 'transient'),
      watch: (tell, signal) => {
        emit = tell;
        return aborted(signal).catch(() => {});
      },
    },
  };
}

/** Rejects when the signal aborts; before that resolves when `later` says so. */
function aborted(signal: AbortSignal, later?: (end: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    later?.(resolve);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
