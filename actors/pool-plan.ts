import { choosePlacement, freeNumber, takesInstances, type PlacedThread } from './placement.ts';
import type { ThreadCause } from './thread.ts';

export interface PoolInput {
  readonly threadId: string;
  /** Hard cap of threads alive for the operating system. */
  readonly maxThreads: number;
  /** Threads that are started at once and never retire. */
  readonly minThreads: number;
  /** A thread without instances retires after this time. */
  readonly idleTimeoutMs: number;
  readonly startTimeoutMs: number;
}

export interface PoolContext extends PoolInput {
  /** Every thread that is alive for the operating system; never more than `maxThreads`. */
  readonly threads: readonly PlacedThread[];
  /** Addresses that wait for a thread to exit before theirs may start. */
  readonly waiting: readonly string[];
  /** The most threads that were ever alive at once. */
  readonly peak: number;
  readonly started: number;
  /** How threads ended, counted. */
  readonly ended: Readonly<Partial<Record<ThreadCause, number>>>;
}

/** What a pool does to the world. */
export type PoolEffect =
  | { readonly kind: 'start'; readonly n: number }
  | { readonly kind: 'host'; readonly n: number; readonly address: string }
  | { readonly kind: 'watch-idle'; readonly n: number }
  | { readonly kind: 'unwatch-idle'; readonly n: number }
  | { readonly kind: 'leave'; readonly n: number; readonly cause: 'retired' | 'shutdown' }
  | { readonly kind: 'forget'; readonly n: number };

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

export function planMinimum(context: PoolContext): PoolPlan {
  if (context.threads.length >= context.minThreads) return none(context);
  return then(start(context), planMinimum);
}

/** Puts an instance on a thread, or in the queue when every thread of the cap is still leaving. */
export function planPlacement(context: PoolContext, address: string): PoolPlan {
  const choice = choosePlacement(context.threads, context.maxThreads);
  if (choice.kind === 'wait') return none({ ...context, waiting: [...context.waiting, address] });
  const ready = choice.kind === 'new' ? start(context) : none(context);
  return then(ready, (now) => ({
    context: withThread(now, choice.n, ({ owned }) => ({ owned: owned + 1 })),
    effects: [
      { kind: 'unwatch-idle', n: choice.n },
      { kind: 'host', n: choice.n, address },
    ],
  }));
}

export function planRelease(context: PoolContext, n: number): PoolPlan {
  return watchIdle(
    withThread(context, n, ({ owned }) => ({ owned: Math.max(0, owned - 1) })),
    n,
  );
}

export function planReady(context: PoolContext, n: number): PoolPlan {
  return watchIdle(
    withThread(context, n, () => ({ state: 'ready' })),
    n,
  );
}

/** Lets a thread go that has had nothing to do for long, unless the pool is at its minimum. */
export function planRetirement(context: PoolContext, n: number): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  const staying = context.threads.filter(takesInstances).length;
  if (thread?.state !== 'ready' || thread.owned > 0 || staying <= context.minThreads) return none(context);
  return {
    context: withThread(context, n, () => ({ state: 'leaving' })),
    effects: [{ kind: 'leave', n, cause: 'retired' }],
  };
}

/** The thread is failing; nothing more is placed on it, and its place is free only when it has exited. */
export function planFailing(context: PoolContext, n: number): PoolPlan {
  return none(withThread(context, n, () => ({ state: 'leaving' })));
}

/** It was ended and is still alive. */
export function planStuck(context: PoolContext, n: number): PoolPlan {
  return none(withThread(context, n, () => ({ state: 'stuck', owned: 0 })));
}

/** The operating system has let go of thread `n`; those who waited for room are placed. */
export function planExit(context: PoolContext, n: number, cause: ThreadCause): PoolPlan {
  const gone: PoolPlan = {
    context: {
      ...context,
      threads: context.threads.filter((thread) => thread.n !== n),
      waiting: [],
      ended: { ...context.ended, [cause]: (context.ended[cause] ?? 0) + 1 },
    },
    effects: [
      { kind: 'unwatch-idle', n },
      { kind: 'forget', n },
    ],
  };
  return context.waiting.reduce((plan, address) => then(plan, (now) => planPlacement(now, address)), gone);
}

/** Everybody leaves, nobody waits any more. */
export function planClosing(context: PoolContext): PoolPlan {
  return {
    context: {
      ...context,
      waiting: [],
      threads: context.threads.map((thread) => ({ ...thread, state: 'leaving' })),
    },
    effects: context.threads.map(({ n }) => ({ kind: 'leave', n, cause: 'shutdown' })),
  };
}

function start(context: PoolContext): PoolPlan {
  const n = freeNumber(context.threads);
  const threads: readonly PlacedThread[] = [...context.threads, { n, state: 'starting', owned: 0 }];
  return {
    context: {
      ...context,
      threads,
      started: context.started + 1,
      peak: Math.max(context.peak, threads.length),
    },
    effects: [{ kind: 'start', n }],
  };
}

function watchIdle(context: PoolContext, n: number): PoolPlan {
  const thread = context.threads.find((candidate) => candidate.n === n);
  const idle = thread?.state === 'ready' && thread.owned === 0;
  return { context, effects: idle ? [{ kind: 'watch-idle', n }] : [] };
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
