import {
  choosePlacement,
  FEWEST,
  freeNumber,
  takesInstances,
  type PlacedThread,
  type PlacementRule,
} from './placement.ts';
import {
  forget,
  proved,
  strike,
  type PoolHealth,
  type PoolIntensity,
  type PoolRecord,
  type Strike,
} from './pool-health.ts';
import type { LeaveCause, Recycling, ThreadCause } from './thread.ts';
import { WaitingList, wantOf, type PlaceRequest } from './waiting-list.ts';

export interface PoolInput {
  readonly threadId: string;
  /** Hard cap of threads alive for the operating system. */
  readonly maxThreads: number;
  /** Threads that are started at once and never retire. */
  readonly minThreads: number;
  /** A thread without instances retires after this time. */
  readonly idleTimeoutMs: number;
  /** How long a thread may take to start, and how long a placement waits for room. */
  readonly startTimeoutMs: number;
  readonly intensity: PoolIntensity;
}

/** What of a pool may change while it runs; the cap only grows. */
export type PoolSettings = Omit<PoolInput, 'threadId'>;

/** An instance that asks for a thread. */
export type Wanted = Omit<PlaceRequest, 'placement'> & { readonly placement?: PlacementRule | undefined };

/**
 * Why an instance was not put on a thread: `full` when no thread was free for it in time, `exhausted` when the pool
 * starts no more threads.
 */
export type Refusal = 'full' | 'exhausted';

export interface PoolContext extends PoolInput, PoolRecord {
  /** Every thread that is alive for the operating system; never more than `maxThreads`. */
  readonly threads: readonly PlacedThread[];
  /** Those that wait for a thread to exit, or to be free, in their order. */
  readonly waiting: WaitingList;
  readonly health: PoolHealth;
  /** The most threads that were ever alive at once. */
  readonly peak: number;
  readonly started: number;
  /** How threads ended, counted. */
  readonly ended: Readonly<Partial<Record<ThreadCause, number>>>;
}

/** What a pool does to the world. */
export type PoolEffect =
  | { readonly kind: 'start'; readonly n: number; readonly instead?: number }
  | { readonly kind: 'host'; readonly n: number; readonly address: string }
  | { readonly kind: 'host-all'; readonly n: number; readonly addresses: readonly string[] }
  | { readonly kind: 'watch-idle'; readonly n: number }
  | { readonly kind: 'unwatch-idle'; readonly n: number }
  | { readonly kind: 'leave'; readonly n: number; readonly cause: LeaveCause }
  | ({ readonly kind: 'recycle'; readonly n: number } & Recycling)
  | { readonly kind: 'forget'; readonly n: number }
  /** Time is running for one that waits; and does so no more. */
  | { readonly kind: 'watch-wait'; readonly address: string }
  | { readonly kind: 'unwatch-wait'; readonly address: string }
  | { readonly kind: 'refuse'; readonly address: string; readonly why: Refusal }
  /** A strike counts until the window has passed. */
  | { readonly kind: 'watch-strike' }
  | { readonly kind: 'tell-exhausted'; readonly strikes: readonly Strike[] }
  /** A thread is not replaced, since no other starts: that of `tried` has failed, or none was tried. */
  | { readonly kind: 'tell-kept'; readonly n: number; readonly tried?: number };

/** A pool's next context, and the effects that lead there, in order. */
export interface PoolPlan {
  readonly context: PoolContext;
  readonly effects: readonly PoolEffect[];
}

const none = (context: PoolContext): PoolPlan => ({ context, effects: [] });

/** Runs `next` on the outcome of `plan`. */
function then(plan: PoolPlan, next: (context: PoolContext) => PoolPlan): PoolPlan {
  const following = next(plan.context);
  return { context: following.context, effects: [...plan.effects, ...following.effects] };
}

/** Starts as many threads as the pool has at least: at first, and again when some of them are gone. */
export function planMinimum(context: PoolContext): PoolPlan {
  const { threads, minThreads, maxThreads } = context;
  const enough = threads.filter(takesInstances).length >= minThreads;
  if (enough || threads.length >= maxThreads || !mayStart(context)) return none(context);
  return then(start(context), planMinimum);
}

/** Puts an instance on a thread, or in the queue when there is no room for it; when none can come, it is refused. */
export function planPlacement(
  context: PoolContext,
  address: string,
  placement: PlacementRule = FEWEST,
  moving = false,
): PoolPlan {
  // An instance that waited and was stopped may have left its place to one of the same address.
  const before: PoolPlan = context.waiting.has(address) ? withdraw(context, address) : none(context);
  return then(before, (now) => {
    const request: PlaceRequest = { address, placement, ...(moving && { moving }) };
    const placed = tryPlacement(now, request);
    if (placed !== undefined) return placed;
    if (now.health === 'exhausted') {
      return { context: now, effects: [{ kind: 'refuse', address, why: 'exhausted' }] };
    }
    return {
      context: { ...now, waiting: now.waiting.with(request, wantOf(placement, now.maxThreads)) },
      effects: [{ kind: 'watch-wait', address }],
    };
  });
}

/** {@link planPlacement} for each of them, in their order; each thread is told once whom it gets. */
export function planPlacements(context: PoolContext, wanted: readonly Wanted[]): PoolPlan {
  const effects: PoolEffect[] = [];
  const hosted = new Map<number, string[]>();
  let now = context;
  for (const { address, placement, moving } of wanted) {
    const plan = planPlacement(now, address, placement, moving);
    now = plan.context;
    for (const effect of plan.effects) {
      if (effect.kind === 'host') {
        const known = hosted.get(effect.n);
        if (known === undefined) hosted.set(effect.n, [effect.address]);
        else known.push(effect.address);
      } else if (effect.kind !== 'unwatch-idle' || !hosted.has(effect.n)) effects.push(effect);
    }
  }
  for (const [n, addresses] of hosted) effects.push({ kind: 'host-all', n, addresses });
  return { context: now, effects };
}

/** `undefined` when there is no room. */
function tryPlacement(
  context: PoolContext,
  { address, placement, moving }: PlaceRequest,
): PoolPlan | undefined {
  const choice = choosePlacement(context.threads, context.maxThreads, placement, mayStart(context));
  if (choice.kind === 'wait') return undefined;
  const ready =
    choice.kind === 'new'
      ? then(start(context, choice.n, moving && { spared: true }), watchSpared)
      : none(context);
  return then(ready, (now) => ({
    context: withThread(now, choice.n, ({ owned }) => ({
      owned: owned + 1,
      exclusive: placement.kind === 'exclusive',
    })),
    effects: [
      { kind: 'unwatch-idle', n: choice.n },
      { kind: 'host', n: choice.n, address },
    ],
  }));
}

/** While it is not known whether threads start again, one is tried at a time. */
function mayStart({ health, threads }: PoolContext): boolean {
  return health === 'open' || (health === 'half-open' && !threads.some(isTried));
}

/** A start that fails is known as one when the thread has exited. Nobody waits for one that is stuck. */
function isTried({ state, fresh }: PlacedThread): boolean {
  return state === 'starting' || (state === 'leaving' && fresh === true);
}

/**
 * Places those who waited and now have room, in their order. When one has to go on waiting, so have all who want the same:
 * placing others makes no room.
 */
function retry(context: PoolContext): PoolPlan {
  let now = context;
  const effects: PoolEffect[] = [];
  const refused = new Set<string>();
  for (;;) {
    const first = now.waiting.firstBut(refused);
    if (first === undefined) return { context: now, effects };
    const { request, want } = first;
    const placed = tryPlacement(now, request);
    if (placed === undefined) {
      refused.add(want);
      continue;
    }
    const { address } = request;
    now = unlisted(placed.context, address);
    effects.push({ kind: 'unwatch-wait', address }, ...placed.effects);
  }
}

function unlisted(context: PoolContext, address: string): PoolContext {
  return { ...context, waiting: context.waiting.without(address) };
}

function withdraw(context: PoolContext, address: string): PoolPlan {
  return { context: unlisted(context, address), effects: [{ kind: 'unwatch-wait', address }] };
}

/** It has waited long enough. */
export function planOverdue(context: PoolContext, address: string): PoolPlan {
  if (!context.waiting.has(address)) return none(context);
  return { context: unlisted(context, address), effects: [{ kind: 'refuse', address, why: 'full' }] };
}

/** Something counts against the pool. */
export function planStrike(context: PoolContext, one: Strike): PoolPlan {
  const { record, counts, exhausted, told } = strike(context, context.intensity, one);
  const struck: PoolPlan = {
    context: { ...context, ...record },
    effects: [
      ...(counts ? [{ kind: 'watch-strike' } as const] : []),
      ...(told ? [{ kind: 'tell-exhausted', strikes: record.strikes } as const] : []),
    ],
  };
  if (!exhausted) return struck;
  const refusals = context.waiting.values().flatMap(({ address }): PoolEffect[] => [
    { kind: 'unwatch-wait', address },
    { kind: 'refuse', address, why: 'exhausted' },
  ]);
  return {
    context: { ...struck.context, waiting: new WaitingList() },
    effects: [...struck.effects, ...refusals],
  };
}

/** A strike is out of the window. */
export function planForgiven(context: PoolContext): PoolPlan {
  return planMinimum({ ...context, ...forget(context) });
}

export function planRelease(context: PoolContext, n: number): PoolPlan {
  const freed = withThread(context, n, ({ owned }) => ({ owned: Math.max(0, owned - 1), exclusive: false }));
  const thread = freed.threads.find((candidate) => candidate.n === n);
  if (thread?.state === 'recycling' && thread.owned === 0) return leave(freed, n, 'recycled');
  return then(retry(freed), (now) => watchIdle(now, n));
}

/** Replaces a thread: nothing more is placed on it, and it leaves when its instances have. */
export function planRecycling(context: PoolContext, n: number, recycling: Recycling): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  // What was to be tried may be to be done by now.
  if (thread?.state === 'recycling') return { context, effects: [{ kind: 'recycle', n, ...recycling }] };
  if (thread?.state !== 'ready') return none(context);
  const successor = successorOf(context, n);
  if (successor !== undefined) {
    const force = recycling.force || successor.instead?.force === true;
    const instead = { of: n, ...recycling, force };
    return none(withThread(context, successor.n, () => ({ instead })));
  }
  if (thread.owned === 0) return replace(context, n, recycling);
  // It is well: it does not end before it is known that another one starts, where there is room for both.
  if (!mayStart(context)) return { context, effects: [{ kind: 'tell-kept', n }] };
  const isFull = context.threads.length >= context.maxThreads;
  // What is only tried, and tried again, goes to one that idles.
  const isSpare = context.threads.some(({ state, owned }) => state === 'ready' && owned === 0);
  if (isFull || (isSpare && !recycling.force)) return replace(context, n, recycling);
  return start(context, freeNumber(context.threads), { spared: true, instead: { of: n, ...recycling } });
}

function successorOf({ threads }: PoolContext, n: number): PlacedThread | undefined {
  return threads.find(({ instead }) => instead?.of === n);
}

/** Has the thread's instances leave it, and then itself. */
function replace(context: PoolContext, n: number, { timeoutMs, force }: Recycling): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  if (thread?.state !== 'ready') return none(context);
  if (thread.owned === 0) {
    const { context: next, effects } = leave(context, n, 'recycled');
    return { context: next, effects: [{ kind: 'unwatch-idle', n }, ...effects] };
  }
  return {
    context: withThread(context, n, () => ({ state: 'recycling' })),
    effects: [{ kind: 'recycle', n, timeoutMs, force }],
  };
}

export function planReady(context: PoolContext, n: number): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  const ready = withThread({ ...context, ...proved(context) }, n, () => ({
    state: 'ready',
    fresh: false,
    instead: undefined,
  }));
  const stayed = thread?.state === 'recycling';
  const { instead } = thread ?? {};
  return then(
    then(
      then(retry(ready), (now) => (stayed ? watchSpared(now) : watchIdle(now, n))),
      planMinimum,
    ),
    (now) => (instead === undefined ? none(now) : replace(now, instead.of, instead)),
  );
}

/** From now on the pool is to be like that. Threads that are there stay as they are until they are replaced. */
export function planConfigured(context: PoolContext, settings: PoolSettings): PoolPlan {
  return then(then(retry(relisted({ ...context, ...settings })), planMinimum), watchSpared);
}

/** With more threads a key may be for another one. */
function relisted(context: PoolContext): PoolContext {
  const { maxThreads } = context;
  let waiting = new WaitingList();
  for (const request of context.waiting)
    waiting = waiting.with(request, wantOf(request.placement, maxThreads));
  return { ...context, waiting };
}

/** Lets a thread go that has had nothing to do for long, unless the pool is at its minimum. */
export function planRetirement(context: PoolContext, n: number): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  const staying = context.threads.filter(takesInstances).length;
  if (thread?.state !== 'ready' || thread.owned > 0 || staying <= context.minThreads) return none(context);
  return leave(context, n, 'retired');
}

/** Ends a thread at once, with whatever is on it: the runtime stops, and does not wait for it. */
export function planEnd(context: PoolContext, n: number): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  if (thread === undefined || thread.state === 'stuck') return none(context);
  const { context: next, effects } = leave(context, n, 'shutdown');
  return { context: next, effects: [{ kind: 'unwatch-idle', n }, ...effects] };
}

/** The thread is failing; nothing more is placed on it, and its place is free only when it has exited. */
export function planFailing(context: PoolContext, n: number): PoolPlan {
  return {
    context: withThread(context, n, () => ({ state: 'leaving' })),
    effects: [{ kind: 'unwatch-idle', n }],
  };
}

/** It was ended and is still alive. */
export function planStuck(context: PoolContext, n: number): PoolPlan {
  return then(retry(withThread(context, n, () => ({ state: 'stuck', owned: 0 }))), planMinimum);
}

/** The operating system has let go of thread `n`; those who waited for room are placed, and the minimum is kept. */
export function planExit(context: PoolContext, n: number, cause: ThreadCause): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  const { instead } = thread ?? {};
  const kept = context.threads.find((other) => other.n === instead?.of && other.state === 'ready');
  const gone: PoolPlan = {
    context: {
      ...context,
      // Whoever was to take its place is one like the others.
      threads: context.threads
        .filter((other) => other !== thread)
        .map((other) => (other.instead?.of === n ? likeOthers(other) : other)),
      ended: { ...context.ended, [cause]: (context.ended[cause] ?? 0) + 1 },
    },
    effects: [
      { kind: 'unwatch-idle', n },
      { kind: 'forget', n },
      ...(kept === undefined ? [] : [{ kind: 'tell-kept', n: kept.n, tried: n } as const]),
    ],
  };
  const failed = thread?.fresh === true && cause !== 'shutdown' && cause !== 'retired';
  const strikes = failed && thread.spared !== true;
  const judged = strikes ? then(gone, (now) => planStrike(now, { kind: 'failed-start', n, cause })) : gone;
  // What fails to start is not tried over and over: the minimum is kept again when its strike is forgotten.
  const again = !failed && cause !== 'shutdown';
  return again ? then(then(judged, retry), planMinimum) : then(judged, retry);
}

/** It takes nobody's place. */
function likeOthers(thread: PlacedThread): PlacedThread {
  return { ...thread, instead: undefined };
}

/** Everybody leaves, nobody waits any more. */
export function planClosing(context: PoolContext): PoolPlan {
  return {
    context: {
      ...context,
      waiting: new WaitingList(),
      // Whoever exits from here on is not replaced.
      minThreads: 0,
      // That it is told to leave before it was ready is no failure.
      threads: context.threads.map((thread) => ({
        ...thread,
        state: thread.state === 'stuck' ? thread.state : 'leaving',
        fresh: false,
        instead: undefined,
      })),
    },
    effects: [
      ...context.waiting.values().map(({ address }) => ({ kind: 'unwatch-wait', address }) as const),
      ...context.threads.map(({ n }) => ({ kind: 'leave', n, cause: 'shutdown' }) as const),
    ],
  };
}

function leave(context: PoolContext, n: number, cause: LeaveCause): PoolPlan {
  return {
    context: withThread(context, n, () => ({ state: 'leaving' })),
    effects: [{ kind: 'leave', n, cause }],
  };
}

function start(
  context: PoolContext,
  n: number = freeNumber(context.threads),
  kind?: Pick<PlacedThread, 'spared' | 'instead'> | false,
): PoolPlan {
  const thread: PlacedThread = { n, state: 'starting', owned: 0, fresh: true, ...kind };
  const threads: readonly PlacedThread[] = [...context.threads, thread];
  return {
    context: {
      ...context,
      threads,
      started: context.started + 1,
      peak: Math.max(context.peak, threads.length),
    },
    effects: [{ kind: 'start', n, ...(thread.instead && { instead: thread.instead.of }) }],
  };
}

function watchIdle(context: PoolContext, n: number): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  const idle = thread?.state === 'ready' && thread.owned === 0;
  return { context, effects: idle ? [{ kind: 'watch-idle', n }] : [] };
}

/** There is one more thread: another that the minimum needed may be one too many now. */
function watchSpared(context: PoolContext): PoolPlan {
  const staying = context.threads.filter(takesInstances);
  if (staying.length <= context.minThreads) return none(context);
  const idle = staying.filter(({ state, owned }) => state === 'ready' && owned === 0);
  const effects = idle.flatMap(({ n }) => [
    { kind: 'unwatch-idle', n } as const,
    { kind: 'watch-idle', n } as const,
  ]);
  return { context, effects };
}

function withThread(
  context: PoolContext,
  n: number,
  change: (thread: PlacedThread) => Partial<PlacedThread>,
): PoolContext {
  const threads = context.threads.map((thread) =>
    thread.n === n ? { ...thread, ...change(thread) } : thread,
  );
  return { ...context, threads };
}
