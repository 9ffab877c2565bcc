import { and, assign, fromPromise, setup } from 'xstate';
import type { ProviderFailure } from '../providers/provider.ts';

/** One cached secret: which one it is, and for how long a value may be used. */
export interface SecretEntrySpec {
  /** Unique for provider, id, stage and role; the entry's address below the secrets actor. */
  readonly key: string;
  /** The provider's alias. */
  readonly provider: string;
  readonly id: string;
  readonly stage: string;
  /** The identity it is read with; absent: the host's own. */
  readonly role?: string;
  /** Soft time to live in milliseconds; 0: a value answers those who wait for it and is not used again. */
  readonly ttlMs: number;
  /** Milliseconds after it was last found current for which a value is used while the provider fails for a time. */
  readonly maxStaleMs: number;
}

/** What an earlier entry of the same key knew, so that epochs go on growing and failures go on slowing it down. */
export type SecretHistory = Pick<
  SecretEntryContext,
  'epoch' | 'versionId' | 'past' | 'seen' | 'lastCause' | 'standing' | 'attempts'
>;

export interface SecretEntryInput extends SecretEntrySpec {
  /** Live grants at birth. Default 0. */
  readonly holders?: number;
  /** Somebody waits for the value already. Default false. */
  readonly needed?: boolean;
  readonly known?: SecretHistory;
}

/** What a fetch came to. The value itself is in the vault by then and never in an event. */
export type SecretFetchOutcome =
  | {
      readonly ok: true;
      readonly versionId: string;
      /** When it was asked for: what is known is as old as that. */
      readonly fetchedAt: number;
      /** For how long the provider lends it, in milliseconds. */
      readonly leaseMs?: number;
    }
  | { readonly ok: false; readonly failure: ProviderFailure };

/** What the effect behind `fetch` gets. */
export interface SecretFetchInput extends SecretEntrySpec {
  /** The version that was last in the vault; when it is there still, a look at the version may be enough. */
  readonly knownVersionId?: string;
  /** The version that a hint says is the current one. */
  readonly hintedVersionId?: string;
}

/** `rejected`: the service that the secret is for refuses the current version, and no other has come. */
export type SecretFailure = ProviderFailure | 'rejected';

/** What those who wait for this entry are told. */
export type SecretAnswer =
  | { readonly ok: true; readonly versionId: string; readonly epoch: number }
  | { readonly ok: false; readonly failure: SecretFailure };

/** Why a fetch was started: by time or a use, a hint of the provider, a service's refusal, or on demand. */
export type SecretFetchCause = 'poll' | 'push' | 'auth-failure' | 'manual';

/** How news of a secret came to light; `rollback`: the version that came is one that was there before. */
export type SecretCause = SecretFetchCause | 'rollback';

/** What those who are granted a secret hear of it; metadata only. */
export interface SecretNews {
  /**
   * - `rotated`: another version is in the cache
   * - `stale`: it cannot be refreshed for now, and the version held is used for a bounded time
   * - `recovered`: it is current again after `stale`, `revoked` or `unavailable`
   * - `revoked`: the provider refuses it; nothing is held any more
   * - `unavailable`: it is not available for now, and nothing is held any more
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

/** Metadata only: snapshots, logs and inspectors see it. */
export interface SecretEntryContext extends SecretEntrySpec {
  /** Live grants; with at least one the entry keeps itself up to date. */
  readonly holders: number;
  /** Somebody used it since the last fetch was started. */
  readonly used: boolean;
  /** Grows by one with each change of version, also when the change goes back to an older one; 0: never fetched. */
  readonly epoch: number;
  readonly versionId: string | undefined;
  readonly previousVersionId: string | undefined;
  /**
   * The highest epoch that the state of an instance has from another process, and its version, from where the first fetch
   * goes on. No version: two states know different ones by that epoch.
   */
  readonly past: { readonly versionId: string | undefined; readonly epoch: number } | undefined;
  /** The versions seen so far, newest last, at most 10: tells a rollback from a rotation. */
  readonly seen: readonly string[];
  /** Of the last change of version; undefined while the first version is the current one. */
  readonly lastCause: SecretCause | undefined;
  /** Whether the vault holds `versionId`, for use. */
  readonly held: boolean;
  /** When the version was last fetched or found current, in milliseconds on the runtime's clock. */
  readonly fetchedAt: number | undefined;
  readonly leaseMs: number | undefined;
  /** Why the last fetch failed; undefined: it did not. */
  readonly failure: ProviderFailure | undefined;
  /** Fetches in a row that failed in a way that may pass. */
  readonly attempts: number;
  /** What those who are granted it were last told. */
  readonly standing: 'unknown' | 'good' | 'stale' | 'revoked' | 'unavailable';
  /** Why the running or last fetch was started. */
  readonly cause: SecretFetchCause;
  readonly hinted: string | undefined;
  /** What the fetch that has just ended came to. */
  readonly outcome: SecretFetchOutcome;
  /** A refresh that was asked for while a fetch was running that may have read the older version. */
  readonly next: { readonly cause: SecretFetchCause; readonly hinted?: string } | undefined;
  /** What the last fetch makes known. */
  readonly news: readonly SecretNews[];
}

export type SecretEntryEvent =
  /** Somebody waits for the value; answered by the action `answer`, at once or when the fetch ends. */
  | { readonly type: 'secret.need' }
  /** Fetch now: what is held may be out of date. Told by the action `settle`. */
  | {
      readonly type: 'secret.refresh';
      /** Default `manual`. */
      readonly cause?: SecretFetchCause;
      /** The version that is said to be the current one now. */
      readonly versionId?: string;
    }
  /** The state of an instance knows that version by that epoch, perhaps from another process. */
  | { readonly type: 'secret.seen'; readonly versionId: string; readonly epoch: number }
  | { readonly type: 'grant.opened' }
  | { readonly type: 'grant.closed' }
  /** The vault needed the room. */
  | { readonly type: 'value.dropped' };

/** To the parent after each fetch that makes something known, when the vault holds what there is. */
export interface SecretEntryNews {
  readonly type: 'entry.news';
  readonly key: string;
  readonly news: readonly SecretNews[];
}

/** Milliseconds for one fetch with all its attempts; a provider that hangs is given up then. */
export const fetchDeadlineMs = 8_000;
/** Milliseconds for which "denied" is the answer without asking again (DEFAULTS, negative cache). */
export const deniedHoldMs = 30_000;
/** The same for "not found", "deleted" and "invalid". */
export const notFoundHoldMs = 10_000;
/** The back-off after failures that may pass: doubles with each, as in AWS' Java cache. */
export const backOffMs = { first: 1_000, most: 128_000 } as const;
/**
 * The longest back-off for credentials of the host: somebody who has just renewed them is there to see whether it helped. As
 * long as a refusal is remembered, so that it costs no more calls.
 */
export const credentialsBackOffMs = deniedHoldMs;
const seenLimit = 10;

/**
 * Those that say nothing about the secret: what was current is likely to be current still, and another try may mend them.
 * The host's own credentials are among them: they are replaced every day, by people and programs that are late at times.
 */
const passing: ReadonlySet<ProviderFailure> = new Set(['transient', 'throttled', 'expired-credentials']);

/** What those who wait for the value are told, given what the entry knows. */
export function answerOf({ held, versionId, epoch, failure }: SecretEntryContext): SecretAnswer {
  if (held && versionId !== undefined) return { ok: true, versionId, epoch };
  return { ok: false, failure: failure ?? 'transient' };
}

/** What those who wait for a refresh are told: a failure also when an older value goes on being used. */
export function refreshedOf(context: SecretEntryContext): SecretAnswer {
  const { versionId, epoch, failure } = context;
  if (failure !== undefined || versionId === undefined) return { ok: false, failure: failure ?? 'transient' };
  return { ok: true, versionId, epoch };
}

/**
 * Milliseconds until a value is looked at again: `part` in [0.8, 1.0] of its time to live, so that polls spread and
 * a value is never relied on for longer than the config allows. A lease is renewed while a fifth of it is left.
 */
export function pollAfterMs({ ttlMs, leaseMs }: SecretEntryContext, part: number): number {
  return Math.min(ttlMs, (leaseMs ?? Infinity) * 0.8) * part;
}

/** Milliseconds until the next try; `part` in [0.5, 1.0] spreads those of many entries. */
export function backOffAfterMs({ attempts, failure }: SecretEntryContext, part: number): number {
  const most = failure === 'expired-credentials' ? credentialsBackOffMs : backOffMs.most;
  return Math.min(backOffMs.first * 2 ** Math.max(0, attempts - 1), most) * part;
}

/**
 * When the value held must not be used any more, on the clock of `fetchedAt`. A refresh that is running at the TTL may
 * end; that is not staleness yet.
 */
export function usableUntil({ fetchedAt, ttlMs, maxStaleMs, leaseMs }: SecretEntryContext): number {
  return (fetchedAt ?? 0) + Math.min(Math.max(ttlMs + fetchDeadlineMs, maxStaleMs), leaseMs ?? Infinity);
}

const types = {
  context: {} as SecretEntryContext,
  input: {} as SecretEntryInput,
  events: {} as SecretEntryEvent,
};

/** No news is no event: most fetches find what was known. */
const announce = setup({ types }).enqueueActions(({ context: { key, news }, enqueue }) => {
  if (news.length > 0) enqueue.sendParent({ type: 'entry.news', key, news } satisfies SecretEntryNews);
});

/**
 * The life of one cached secret.
 *
 * - `cold`: nothing is held. Fetches at the next need or grant, and by itself after the TTL while there is a grant.
 * - `calling.fetching`: nobody is answered until the one fetch ends (single-flight).
 * - `fresh`: needs are answered from the vault. At 80 to 100 % of the TTL it turns to `calling.refreshing` when somebody
 *   holds a grant or has used it since the last fetch, else it is dropped.
 * - `calling.refreshing`: a fetch runs, and needs are answered from the vault meanwhile.
 * - `stale`: the provider fails for a time. Needs are answered from the vault until `maxStaleMs` after the value was
 *   last found current; it is tried again with a back-off.
 * - `failed`: nothing is held, and the failure is the answer without asking again: for the back-off, or for the time a
 *   refusal is remembered.
 *
 * Fails closed: a fetch that is refused evicts what is held before anybody is answered. `judging` sorts what a fetch
 * came to and takes no time.
 */
export const secretEntryMachine = setup({
  types,
  actors: {
    /** Provided: brings the value into the vault and says which version it is. */
    fetch: fromPromise<SecretFetchOutcome, SecretFetchInput>(() =>
      Promise.resolve({ ok: false, failure: 'invalid' }),
    ),
  },
  delays: {
    /** Provided with jitter, as are `backOff` and `hold`. */
    poll: ({ context }) => pollAfterMs(context, 1),
    backOff: ({ context }) => backOffAfterMs(context, 1),
    hold: ({ context }) => holdMs(context, 1),
    /** Provided: the time that is left until `usableUntil`. */
    unusable: ({ context }) => usableUntil(context) - (context.fetchedAt ?? 0),
    deadline: fetchDeadlineMs,
  },
  guards: {
    granted: ({ context }) => context.holders > 0 && context.ttlMs > 0,
    wanted: ({ context }) => context.holders > 0 || context.used,
    cacheable: ({ context }) => context.ttlMs > 0,
    held: ({ context }) => context.held,
    again: ({ context }) => context.next !== undefined,
    brokeBefore: ({ context }) => context.attempts > 0,
    needed: ({ context }) => context.used,
    succeeded: ({ context }) => context.outcome.ok,
    mayPass: ({ context }) => !context.outcome.ok && passing.has(context.outcome.failure),
    retried: ({ context }) => context.failure !== undefined && passing.has(context.failure),
  },
  actions: {
    /** Provided: gives all who wait for the value `answerOf(context)`, before the next action runs. */
    answer: () => {},
    /** Provided: gives all who wait for a refresh `refreshedOf(context)`. */
    settle: () => {},
    /** Provided: overwrites with zeros what the vault holds for the key. */
    evict: () => {},
    /** Goes with `evict`: nothing is held any more. */
    letGo: assign({ held: false, leaseMs: undefined }),
    countGrant: assign({ holders: ({ context }) => context.holders + 1 }),
    discountGrant: assign({ holders: ({ context }) => Math.max(0, context.holders - 1) }),
    use: assign({ used: true }),
    forPoll: assign({ cause: 'poll', hinted: undefined, used: false }),
    forRefresh: assign(({ event }) => ({ hinted: undefined, ...refreshOf(event) })),
    onceMore: assign(({ context, event }) => ({ next: { ...context.next, ...refreshOf(event) } })),
    takeNext: assign(({ context }) => ({ hinted: undefined, ...context.next, next: undefined })),
    remember: assign(({ context, event }) => remembered(context, event)),
    give: assign((_, outcome: SecretFetchOutcome) => ({ outcome })),
    keep: assign(({ context }) => keep(context)),
    age: assign(({ context }) => age(context)),
    lose: assign(({ context }) => lose(context)),
    announce,
  },
}).createMachine({
  id: 'secret',
  context: ({ input: { holders = 0, needed = false, known, ...spec } }) => ({
    ...spec,
    holders,
    used: needed,
    epoch: known?.epoch ?? 0,
    versionId: known?.versionId,
    previousVersionId: undefined,
    past: known?.past,
    seen: known?.seen ?? [],
    lastCause: known?.lastCause,
    held: false,
    fetchedAt: undefined,
    leaseMs: undefined,
    failure: undefined,
    attempts: known?.attempts ?? 0,
    standing: known?.standing ?? 'unknown',
    cause: 'poll',
    hinted: undefined,
    outcome: gaveUp,
    next: undefined,
    news: [],
  }),
  on: {
    'grant.opened': { actions: 'countGrant' },
    'grant.closed': { actions: 'discountGrant' },
    'secret.seen': { actions: 'remember' },
  },
  initial: 'born',
  states: {
    born: {
      always: [
        // An entry that breaks again and again must not call the provider each time.
        { guard: 'brokeBefore', target: 'failed', actions: ['lose', 'announce'] },
        { guard: 'needed', target: 'calling', actions: ['forPoll', 'use'] },
        { target: 'cold' },
      ],
    },
    cold: {
      on: {
        'secret.need': { target: 'calling', actions: ['forPoll', 'use'] },
        'secret.refresh': { target: 'calling', actions: 'forRefresh' },
        'grant.opened': [
          { guard: 'cacheable', target: 'calling', actions: ['countGrant', 'forPoll'] },
          { actions: 'countGrant' },
        ],
      },
      after: { poll: { guard: 'granted', target: 'calling', actions: 'forPoll' } },
    },
    calling: {
      initial: 'fetching',
      invoke: {
        src: 'fetch',
        id: 'fetch',
        input: ({ context }) => fetchInput(context),
        onDone: { target: 'judging', actions: { type: 'give', params: ({ event }) => event.output } },
        onError: { target: 'judging', actions: { type: 'give', params: () => gaveUp } },
      },
      after: { deadline: { target: 'judging', actions: { type: 'give', params: () => gaveUp } } },
      on: { 'secret.refresh': { actions: 'onceMore' } },
      states: {
        fetching: { on: { 'secret.need': { actions: 'use' } } },
        refreshing: {
          on: {
            'secret.need': { actions: ['use', 'answer'] },
            'value.dropped': { target: 'fetching', actions: 'letGo' },
          },
          after: { unusable: { target: 'fetching', actions: ['evict', 'letGo'] } },
        },
      },
    },
    judging: {
      always: [
        {
          guard: and(['succeeded', 'cacheable', 'again']),
          target: 'calling.refreshing',
          actions: ['keep', 'answer', 'announce', 'takeNext'],
        },
        {
          guard: and(['succeeded', 'cacheable']),
          target: 'fresh',
          actions: ['keep', 'answer', 'settle', 'announce'],
        },
        {
          guard: and(['succeeded', 'again']),
          target: 'calling',
          actions: ['keep', 'answer', 'evict', 'letGo', 'announce', 'takeNext'],
        },
        {
          guard: 'succeeded',
          target: 'cold',
          actions: ['keep', 'answer', 'settle', 'evict', 'letGo', 'announce'],
        },
        { guard: and(['mayPass', 'held', 'again']), target: 'calling.refreshing', actions: 'takeNext' },
        { guard: and(['mayPass', 'held']), target: 'stale', actions: ['age', 'settle', 'announce'] },
        { guard: 'again', target: 'calling', actions: ['evict', 'letGo', 'takeNext'] },
        { target: 'failed', actions: ['evict', 'letGo', 'lose', 'answer', 'settle', 'announce'] },
      ],
    },
    fresh: {
      on: {
        'secret.need': { actions: ['use', 'answer'] },
        'secret.refresh': { target: 'calling.refreshing', actions: 'forRefresh' },
        'value.dropped': { target: 'cold', actions: 'letGo' },
      },
      after: {
        poll: [
          { guard: 'wanted', target: 'calling.refreshing', actions: 'forPoll' },
          { target: 'cold', actions: ['evict', 'letGo'] },
        ],
      },
    },
    stale: {
      on: {
        'secret.need': { actions: ['use', 'answer'] },
        'secret.refresh': { target: 'calling.refreshing', actions: 'forRefresh' },
        'value.dropped': { target: 'failed', actions: ['letGo', 'lose', 'announce'] },
      },
      after: {
        backOff: [
          { guard: 'wanted', target: 'calling.refreshing', actions: 'forPoll' },
          { target: 'cold', actions: ['evict', 'letGo'] },
        ],
        unusable: { target: 'failed', actions: ['evict', 'letGo', 'lose', 'announce'] },
      },
    },
    failed: {
      on: {
        'secret.need': { actions: ['use', 'answer'] },
        'secret.refresh': { target: 'calling', actions: 'forRefresh' },
      },
      after: {
        hold: [
          { guard: and(['retried', 'granted']), target: 'calling', actions: 'forPoll' },
          { target: 'cold' },
        ],
      },
    },
  },
});

const gaveUp: SecretFetchOutcome = { ok: false, failure: 'transient' };

/** For how long a failure is the answer without asking again. */
export function holdMs(context: SecretEntryContext, part: number): number {
  const { failure } = context;
  if (failure === 'denied' || failure === 'undecryptable') return deniedHoldMs;
  if (failure === undefined || passing.has(failure)) return backOffAfterMs(context, part);
  return notFoundHoldMs;
}

function refreshOf(event: SecretEntryEvent): { cause: SecretFetchCause; hinted?: string } {
  if (event.type !== 'secret.refresh') return { cause: 'manual' };
  const { cause = 'manual', versionId } = event;
  return { cause, ...(versionId !== undefined && { hinted: versionId }) };
}

/** What is known with what a state knows: what it is told next has a higher epoch, unless that is the same version. */
function remembered(context: SecretEntryContext, event: SecretEntryEvent): Partial<SecretEntryContext> {
  if (event.type !== 'secret.seen') return {};
  const { versionId, epoch } = event;
  if (context.versionId !== undefined) {
    const least = versionId === context.versionId ? epoch : epoch + 1;
    return { epoch: Math.max(least, context.epoch) };
  }
  const { past } = context;
  const seen = [...context.seen.filter((id) => id !== versionId), versionId].slice(-seenLimit);
  if (past === undefined || epoch > past.epoch) return { past: { versionId, epoch }, seen };
  const isOther = epoch === past.epoch && versionId !== past.versionId;
  return isOther ? { past: { versionId: undefined, epoch }, seen } : { seen };
}

function fetchInput(context: SecretEntryContext): SecretFetchInput {
  const { key, provider, id, stage, role, ttlMs, maxStaleMs, versionId, hinted } = context;
  return {
    key,
    provider,
    id,
    stage,
    ...(role !== undefined && { role }),
    ttlMs,
    maxStaleMs,
    ...(versionId !== undefined && { knownVersionId: versionId }),
    ...(hinted !== undefined && { hintedVersionId: hinted }),
  };
}

function keep(context: SecretEntryContext): Partial<SecretEntryContext> {
  const { outcome, cause, standing, past } = context;
  if (!outcome.ok) return {};
  const { versionId, fetchedAt, leaseMs } = outcome;
  const good = { fetchedAt, leaseMs, held: true, failure: undefined, attempts: 0, standing: 'good' } as const;
  const bad = standing !== 'good' && standing !== 'unknown';
  const previousVersionId = context.versionId;
  const recovered = (epoch: number): SecretNews[] =>
    bad ? [{ type: 'recovered', epoch, versionId, cause }] : [];
  if (versionId === previousVersionId) return { ...good, news: recovered(context.epoch) };
  const isFirst = previousVersionId === undefined;
  const before = isFirst ? past : context;
  const epoch = before?.versionId === versionId ? before.epoch : (before?.epoch ?? 0) + 1;
  const seen = [...context.seen.filter((id) => id !== versionId), versionId].slice(-seenLimit);
  const changed = { ...good, versionId, previousVersionId, epoch, seen };
  if (isFirst) {
    // Who goes on from a state of another process is greeted with the version; after trouble, with that.
    const isMissed = bad && past !== undefined && past.versionId !== versionId;
    const missed: SecretNews[] = isMissed ? [{ type: 'rotated', epoch, versionId, cause }] : [];
    return { ...changed, news: [...missed, ...recovered(epoch)] };
  }
  const lastCause = context.seen.includes(versionId) ? 'rollback' : cause;
  const rotated: SecretNews = { type: 'rotated', epoch, versionId, previousVersionId, cause: lastCause };
  return { ...changed, lastCause, news: [rotated, ...recovered(epoch)] };
}

/** The value is held still, and what it is worth is known to be less. */
function age(context: SecretEntryContext): Partial<SecretEntryContext> {
  const { outcome, standing, attempts } = context;
  if (outcome.ok) return {};
  const known = { failure: outcome.failure, attempts: attempts + 1, standing: 'stale' } as const;
  if (standing === 'stale') return { ...known, news: [] };
  return { ...known, news: [{ ...about(context, 'stale'), graceUntil: usableUntil(context) }] };
}

/** Nothing is held any more, or could be had in the first place. */
function lose(context: SecretEntryContext): Partial<SecretEntryContext> {
  const { outcome, standing, versionId, attempts } = context;
  const failure = outcome.ok ? 'transient' : outcome.failure;
  const lost = { failure, attempts: passing.has(failure) ? attempts + 1 : 0, fetchedAt: undefined };
  const type = passing.has(failure) || versionId === undefined ? 'unavailable' : 'revoked';
  if (standing === type || standing === 'revoked') return { ...lost, news: [] };
  return { ...lost, standing: type, news: [about(context, type)] };
}

function about(context: SecretEntryContext, type: SecretNews['type']): SecretNews {
  const { versionId, past, cause } = context;
  const epoch = versionId === undefined ? (past?.epoch ?? context.epoch) : context.epoch;
  return { type, epoch, ...(versionId !== undefined && { versionId }), cause };
}
