import { assign, fromPromise, sendParent, setup } from 'xstate';
import type { ProviderFailure } from '../providers/provider.ts';

/** One cached secret: which one it is, and for how long a value may be used. */
export interface SecretEntrySpec {
  /** Unique for provider, id and stage; the entry's address below the secrets actor. */
  readonly key: string;
  /** The provider's alias. */
  readonly provider: string;
  readonly id: string;
  readonly stage: string;
  /** Soft time to live in milliseconds; 0: a value answers those who wait for it and is not used again. */
  readonly ttlMs: number;
}

export interface SecretEntryInput extends SecretEntrySpec {
  /** Live grants at birth. Default 0. */
  readonly holders?: number;
  /** What an earlier entry of this key knew, so that epochs go on growing. */
  readonly known?: Pick<SecretEntryContext, 'epoch' | 'versionId' | 'seen'>;
}

/** What a fetch came to. The value itself is in the vault by then and never in an event. */
export type SecretFetchOutcome =
  | { readonly ok: true; readonly versionId: string; readonly fetchedAt: number }
  | { readonly ok: false; readonly failure: ProviderFailure };

/** What the effect behind `fetch` gets. */
export interface SecretFetchInput extends SecretEntrySpec {
  /** The version that was last in the vault; when it is there still, a look at the version may be enough. */
  readonly knownVersionId?: string;
}

/** What those who wait for this entry are told. */
export type SecretAnswer =
  | { readonly ok: true; readonly versionId: string; readonly epoch: number }
  | { readonly ok: false; readonly failure: ProviderFailure };

/** Metadata only: snapshots, logs and inspectors see it. */
export interface SecretEntryContext extends SecretEntrySpec {
  /** Live grants; with at least one the entry keeps itself up to date. */
  readonly holders: number;
  /** Grows by one with each change of version, also when the change goes back to an older one; 0: never fetched. */
  readonly epoch: number;
  readonly versionId: string | undefined;
  readonly previousVersionId: string | undefined;
  /** The versions seen so far, newest last, at most 10: tells a rollback from a rotation. */
  readonly seen: readonly string[];
  /** When the value was last fetched or found unchanged, in milliseconds on the runtime's clock. */
  readonly fetchedAt: number | undefined;
  readonly failure: ProviderFailure | undefined;
  /** Why the running fetch was started. */
  readonly asked: Exclude<SecretCause, 'rollback'>;
  /** A refresh was asked for while a fetch was running that may have read the older version. */
  readonly again: boolean;
  /** What the last fetch changed; undefined: nothing, or it was the first. */
  readonly change: SecretCause | undefined;
}

export type SecretEntryEvent =
  /** Somebody waits for the value; answered by the action `answer`, at once or when the fetch ends. */
  | { type: 'secret.need' }
  /** Fetch now: what is held may be out of date. */
  | { type: 'secret.refresh' }
  | { type: 'grant.opened' }
  | { type: 'grant.closed' };

/**
 * How news of a secret came to light: a hint of its provider, a poll or a use, a service that refused the version, a
 * refresh that was asked for; `rollback`: the version that came is one that was there before.
 */
export type SecretCause = 'push' | 'poll' | 'auth-failure' | 'manual' | 'rollback';

/** What those who are granted a secret hear of it; metadata only. */
export interface SecretNews {
  /**
   * - `rotated`: another version is in the cache
   * - `stale`: it cannot be refreshed for now, and the version held is used for a bounded time
   * - `recovered`: it is current again after `stale`, `revoked` or `unavailable`
   * - `revoked`: the provider refuses it; nothing is held any more
   * - `unavailable`: it cannot be had for now, and nothing is held any more
   */
  readonly type: 'rotated' | 'stale' | 'recovered' | 'revoked' | 'unavailable';
  readonly epoch: number;
  /** Absent when no version was ever fetched. */
  readonly versionId?: string;
  /** Only with `rotated`. */
  readonly previousVersionId?: string;
  readonly cause: SecretCause;
  /** Only with `stale`: until when the version held is used, in milliseconds since the epoch. */
  readonly graceUntil?: number;
}

/** To the parent after each successful fetch, when the vault holds the version. */
export interface SecretEntryFetched {
  type: 'entry.fetched';
  readonly key: string;
  readonly epoch: number;
  readonly versionId: string;
  readonly previousVersionId: string | undefined;
  /** Undefined: the version is the one that was known, or the first. */
  readonly change: SecretCause | undefined;
}

/** Milliseconds for one fetch with all its attempts; a provider that hangs is given up then. */
export const fetchDeadlineMs = 8_000;
/** Milliseconds for which "denied" is the answer without asking again (DEFAULTS, negative cache). */
export const deniedHoldMs = 30_000;
/** The same for "not found" and "deleted". */
export const notFoundHoldMs = 10_000;
const seenLimit = 10;
const heldFailures: ReadonlySet<ProviderFailure> = new Set(['denied', 'not-found', 'deleted']);

/** What those who wait are told, given what the entry knows. */
export function answerOf(context: SecretEntryContext): SecretAnswer {
  if (context.failure !== undefined) return { ok: false, failure: context.failure };
  if (context.versionId === undefined) return { ok: false, failure: 'transient' };
  return { ok: true, versionId: context.versionId, epoch: context.epoch };
}

/**
 * The life of one cached secret.
 *
 * - `cold`: nothing fetched yet. `stale`: too old to use. `failed`: the last fetch failed. All three fetch at
 *   the next need, and by themselves after the TTL while there is a live grant.
 * - `calling.fetching`: nobody is answered until the one fetch ends (single-flight).
 * - `fresh`: needs are answered from the vault. With a live grant it turns to `calling.refreshing` after the
 *   TTL (needs are still answered meanwhile, for at most the deadline), without one to `stale`.
 * - `refused`: denied, not found or deleted; that is the answer for the hold time, unless a refresh is asked for.
 *
 * Fails closed: whatever the reason of a failed fetch, the value is evicted first and the next use fetches
 * again. Bounded staleness, back-off and the breaker are not part of this machine yet.
 */
export const secretEntryMachine = setup({
  types: {
    context: {} as SecretEntryContext,
    input: {} as SecretEntryInput,
    events: {} as SecretEntryEvent,
  },
  actors: {
    /** Provided: brings the value into the vault and says which version it is. */
    fetch: fromPromise<SecretFetchOutcome, SecretFetchInput>(() =>
      Promise.resolve({ ok: false, failure: 'invalid' }),
    ),
  },
  delays: {
    /** Provided with jitter, uniform in [0.8, 1.0] of `ttlMs`. */
    ttl: ({ context }) => context.ttlMs,
    deadline: fetchDeadlineMs,
    hold: ({ context }) => (context.failure === 'denied' ? deniedHoldMs : notFoundHoldMs),
  },
  guards: {
    polled: ({ context }) => context.holders > 0 && context.ttlMs > 0,
    cacheable: ({ context }) => context.ttlMs > 0,
    again: ({ context }) => context.again,
    fetched: (_, outcome: SecretFetchOutcome) => outcome.ok,
    fetchedToKeep: ({ context }, outcome: SecretFetchOutcome) => outcome.ok && context.ttlMs > 0,
    refused: (_, outcome: SecretFetchOutcome) => !outcome.ok && heldFailures.has(outcome.failure),
  },
  actions: {
    /** Provided: gives all who wait for the key `answerOf(context)`, before the next action runs. */
    answer: () => {},
    /** Provided: overwrites with zeros what the vault holds for the key. */
    evict: () => {},
    countGrant: assign({ holders: ({ context }) => context.holders + 1 }),
    discountGrant: assign({ holders: ({ context }) => Math.max(0, context.holders - 1) }),
    forPoll: assign({ asked: 'poll' }),
    forRefresh: assign({ asked: 'manual' }),
    onceMore: assign({ asked: 'manual', again: true }),
    startOver: assign({ again: false }),
    keep: assign(({ context }, outcome: SecretFetchOutcome) => keep(context, outcome)),
    fail: assign((_, outcome: SecretFetchOutcome) => ({
      failure: outcome.ok ? undefined : outcome.failure,
      fetchedAt: undefined,
      change: undefined,
    })),
    announce: sendParent(({ context }) => fetchedEvent(context)),
  },
}).createMachine({
  id: 'secret',
  context: ({ input }) => ({
    key: input.key,
    provider: input.provider,
    id: input.id,
    stage: input.stage,
    ttlMs: input.ttlMs,
    holders: input.holders ?? 0,
    epoch: input.known?.epoch ?? 0,
    versionId: input.known?.versionId,
    previousVersionId: undefined,
    seen: input.known?.seen ?? [],
    fetchedAt: undefined,
    failure: undefined,
    asked: 'poll',
    again: false,
    change: undefined,
  }),
  on: {
    'grant.opened': { actions: 'countGrant' },
    'grant.closed': { actions: 'discountGrant' },
  },
  initial: 'cold',
  states: {
    cold: {
      on: {
        'secret.need': { target: 'calling', actions: 'forPoll' },
        'secret.refresh': { target: 'calling', actions: 'forRefresh' },
        'grant.opened': [
          { guard: 'cacheable', target: 'calling', actions: ['countGrant', 'forPoll'] },
          { actions: 'countGrant' },
        ],
      },
      after: { ttl: { guard: 'polled', target: 'calling', actions: 'forPoll' } },
    },
    calling: {
      initial: 'fetching',
      invoke: {
        src: 'fetch',
        id: 'fetch',
        input: ({ context }) => fetchInput(context),
        onDone: [
          { guard: 'again', target: 'calling', reenter: true, actions: 'startOver' },
          {
            guard: { type: 'fetchedToKeep', params: ({ event }) => event.output },
            target: 'fresh',
            actions: [{ type: 'keep', params: ({ event }) => event.output }, 'answer', 'announce'],
          },
          {
            guard: { type: 'fetched', params: ({ event }) => event.output },
            target: 'cold',
            actions: [{ type: 'keep', params: ({ event }) => event.output }, 'answer', 'evict', 'announce'],
          },
          {
            guard: { type: 'refused', params: ({ event }) => event.output },
            target: 'refused',
            actions: [{ type: 'fail', params: ({ event }) => event.output }, 'evict', 'answer'],
          },
          {
            target: 'failed',
            actions: [{ type: 'fail', params: ({ event }) => event.output }, 'evict', 'answer'],
          },
        ],
        onError: [
          { guard: 'again', target: 'calling', reenter: true, actions: 'startOver' },
          { target: 'failed', actions: [{ type: 'fail', params: gaveUp }, 'evict', 'answer'] },
        ],
      },
      after: {
        deadline: [
          { guard: 'again', target: 'calling', reenter: true, actions: 'startOver' },
          { target: 'failed', actions: [{ type: 'fail', params: gaveUp }, 'evict', 'answer'] },
        ],
      },
      on: { 'secret.refresh': { target: '.fetching', actions: 'onceMore' } },
      states: {
        fetching: {},
        refreshing: { on: { 'secret.need': { actions: 'answer' } } },
      },
    },
    fresh: {
      on: {
        'secret.need': { actions: 'answer' },
        'secret.refresh': { target: 'calling', actions: 'forRefresh' },
      },
      after: {
        ttl: [
          { guard: 'polled', target: 'calling.refreshing', actions: 'forPoll' },
          { target: 'stale', actions: 'evict' },
        ],
      },
    },
    stale: {
      on: {
        'secret.need': { target: 'calling', actions: 'forPoll' },
        'secret.refresh': { target: 'calling', actions: 'forRefresh' },
        'grant.opened': { target: 'calling', actions: ['countGrant', 'forPoll'] },
      },
    },
    failed: {
      on: {
        'secret.need': { target: 'calling', actions: 'forPoll' },
        'secret.refresh': { target: 'calling', actions: 'forRefresh' },
        'grant.opened': [
          { guard: 'cacheable', target: 'calling', actions: ['countGrant', 'forPoll'] },
          { actions: 'countGrant' },
        ],
      },
      after: { ttl: { guard: 'polled', target: 'calling', actions: 'forPoll' } },
    },
    refused: {
      on: {
        'secret.need': { actions: 'answer' },
        'secret.refresh': { target: 'calling', actions: 'forRefresh' },
      },
      after: { hold: 'failed' },
    },
  },
});

function gaveUp(): SecretFetchOutcome {
  return { ok: false, failure: 'transient' };
}

function fetchInput(context: SecretEntryContext): SecretFetchInput {
  const { key, provider, id, stage, ttlMs, versionId } = context;
  return { key, provider, id, stage, ttlMs, ...(versionId !== undefined && { knownVersionId: versionId }) };
}

function keep(context: SecretEntryContext, outcome: SecretFetchOutcome): Partial<SecretEntryContext> {
  if (!outcome.ok) return {};
  const { versionId, fetchedAt } = outcome;
  const settled = { versionId, fetchedAt, failure: undefined };
  if (versionId === context.versionId) return { ...settled, change: undefined };
  const seen = [...context.seen.filter((id) => id !== versionId), versionId].slice(-seenLimit);
  const first = context.versionId === undefined;
  return {
    ...settled,
    seen,
    epoch: context.epoch + 1,
    previousVersionId: context.versionId,
    change: first ? undefined : context.seen.includes(versionId) ? 'rollback' : context.asked,
  };
}

function fetchedEvent(context: SecretEntryContext): SecretEntryFetched {
  const { key, epoch, versionId = '', previousVersionId, change } = context;
  return { type: 'entry.fetched', key, epoch, versionId, previousVersionId, change };
}
