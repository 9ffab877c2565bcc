import type * as Sdk from '@aws-sdk/client-secrets-manager';
import type { Connections } from './aws-connections.ts';
import { ProviderError, type FetchResult, type ProviderFailure, type SecretRef } from './provider.ts';
import { createSeats } from './seats.ts';

/** AWS takes at most this many ids in one BatchGetSecretValue. */
export const batchLimit = 20;

/** Milliseconds for which it is remembered that a role may not batch: a right that is given is found in that time. */
const refusedForMs = 300_000;

/** A batch reads current versions only. */
const batchStage = 'AWSCURRENT';

export interface BatchDependencies {
  readonly call: Connections['call'];
  readonly fetch: (ref: SecretRef, signal: AbortSignal) => Promise<FetchResult>;
  readonly toResult: (id: string, value: Sdk.SecretValueEntry) => FetchResult;
  readonly classify: (error: unknown) => ProviderFailure;
  /** The secrets that are read one by one at one time, where a batch is no way. */
  readonly singlesAtOnce: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
}

/** Reads many secrets; what comes for each, by its id. Rejects only when the signal aborts. */
export type FetchMany = (refs: readonly SecretRef[], signal: AbortSignal) => Promise<Results>;

type Results = Map<string, FetchResult | ProviderError>;

interface Reading extends BatchDependencies {
  /** The roles that may not batch, and when they were told so; undefined is the host itself. */
  readonly refused: Map<string | undefined, number>;
  readonly seat: ReturnType<typeof createSeats>;
}

/**
 * Reads many secrets with few calls: those of one role twenty a call. A ref with a stage of its own is read by itself,
 * as is one that a batch has no answer for. A batch that is refused as a whole, because the host may not batch or one of
 * the ids is malformed, is read one by one, so that nobody pays for another's fault. Who may not batch does not try to for
 * five minutes.
 */
export function createFetchMany(dependencies: BatchDependencies): FetchMany {
  const reading: Reading = {
    ...dependencies,
    refused: new Map(),
    seat: createSeats(dependencies.singlesAtOnce),
  };
  return (refs, signal) => fetchMany(refs, signal, reading);
}

async function fetchMany(
  refs: readonly SecretRef[],
  signal: AbortSignal,
  reading: Reading,
): Promise<Results> {
  const results: Results = new Map();
  const singles: SecretRef[] = [];
  const byRole = new Map<string | undefined, SecretRef[]>();
  for (const [id, [ref, ...others]] of groupBy(refs, (each) => each.id)) {
    if (ref === undefined) continue;
    if (others.some((other) => other.role !== ref.role || stageOf(other) !== stageOf(ref)))
      results.set(id, ambiguous(id));
    else if (stageOf(ref) === batchStage) byRole.set(ref.role, [...(byRole.get(ref.role) ?? []), ref]);
    else singles.push(ref);
  }
  for (const [role, group] of byRole) {
    for (let at = 0; at < group.length; at += batchLimit) {
      const chunk = group.slice(at, at + batchLimit);
      singles.push(...(await fetchChunk(role, chunk, signal, results, reading)));
    }
  }
  const fetchSingle = async (ref: SecretRef): Promise<void> => {
    const one = await reading
      .fetch(ref, signal)
      .catch((error: unknown) => failed(ref.id, error, signal, reading));
    results.set(ref.id, one);
  };
  await Promise.all(singles.map((ref) => reading.seat(signal, () => fetchSingle(ref))));
  return results;
}

/** Reads what one call can; returns those that have to be read one by one. */
async function fetchChunk(
  role: string | undefined,
  refs: readonly SecretRef[],
  signal: AbortSignal,
  results: Results,
  { call, classify, toResult, now, refused }: Reading,
): Promise<SecretRef[]> {
  if (now() - (refused.get(role) ?? -Infinity) < refusedForMs) return [...refs];
  const found: Sdk.SecretValueEntry[] = [];
  const errors: Sdk.APIErrorType[] = [];
  let over: { readonly error: unknown } | undefined;
  try {
    let next: string | undefined;
    do {
      const page = await call(role, signal, ({ sdk, client }, abortSignal) =>
        client.send(
          new sdk.BatchGetSecretValueCommand({
            SecretIdList: refs.map(({ id }) => id),
            ...(next !== undefined && { NextToken: next }),
          }),
          { abortSignal },
        ),
      );
      found.push(...(page.SecretValues ?? []));
      errors.push(...(page.Errors ?? []));
      // Each page has an answer for somebody, or the rest is left to single calls.
      next = (page.SecretValues?.length ?? 0) + (page.Errors?.length ?? 0) > 0 ? page.NextToken : undefined;
    } while (next !== undefined);
  } catch (error) {
    const failure = classify(error);
    // What more calls would only make worse, or what an abort has ended.
    const isOver = failure === 'transient' || failure === 'throttled' || failure === 'expired-credentials';
    if (failure === 'denied') refused.set(role, now());
    if (isOver) over = { error };
  }
  const unanswered: SecretRef[] = [];
  for (const ref of refs) {
    const { id } = ref;
    const value = found.find((entry) => isNamed(entry.Name, entry.ARN, id));
    const error = errors.find((entry) => entry.SecretId === id);
    if (value !== undefined)
      results.set(
        id,
        settle(() => toResult(id, value)),
      );
    else if (error !== undefined) results.set(id, itemError(id, error, classify));
    else if (over !== undefined) results.set(id, failed(id, over.error, signal, { classify }));
    else unanswered.push(ref);
  }
  return unanswered;
}

/** Whether an entry is the one that an id names: by name, by ARN, or by ARN without the six characters at its end. */
function isNamed(name: string | undefined, arn: string | undefined, id: string): boolean {
  return name === id || arn === id || (id.startsWith('arn:') && arn?.slice(0, -7) === id);
}

const stageOf = (ref: SecretRef): string => ref.stage ?? batchStage;

function settle(result: () => FetchResult): FetchResult | ProviderError {
  try {
    return result();
  } catch (error) {
    return error as ProviderError;
  }
}

function itemError(
  id: string,
  { ErrorCode = 'UnknownError', Message = 'no reason given' }: Sdk.APIErrorType,
  classify: BatchDependencies['classify'],
): ProviderError {
  return new ProviderError(
    classify({ name: ErrorCode, message: Message }),
    `Secrets Manager has no value for ${id}: ${ErrorCode}`,
  );
}

/** Another's error in words of ours; an abort stays what it is. */
function failed(
  id: string,
  error: unknown,
  signal: AbortSignal,
  { classify }: Pick<BatchDependencies, 'classify'>,
): ProviderError {
  signal.throwIfAborted();
  if (error instanceof ProviderError) return error;
  const failure = classify(error);
  return new ProviderError(failure, `Secrets Manager gave no value for ${id} (${failure}).`);
}

function ambiguous(id: string): ProviderError {
  return new ProviderError(
    'invalid',
    `The secret ${id} was asked for with several stages or roles at once. Ask for each by itself.`,
  );
}

function groupBy<K, V>(values: readonly V[], keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
