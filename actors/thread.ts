import { assign, fromCallback, sendParent, sendTo, setup, type NonReducibleUnknown } from 'xstate';

export interface ThreadInput {
  readonly threadId: string;
  readonly n: number;
  readonly startTimeoutMs: number;
  /** Number of the thread whose place it is to take: it is ready when it can run the same agents. */
  readonly instead?: number | undefined;
}

/** Why a thread is gone. */
export type ThreadCause =
  | 'retired'
  | 'recycled'
  | 'shutdown'
  | 'exit'
  | 'error'
  | 'oom'
  | 'hang'
  | 'init-timeout';

/** Why a pool has a thread leave. */
export type LeaveCause = Extract<ThreadCause, 'retired' | 'recycled' | 'shutdown'>;

/** How a thread is replaced. */
export interface Recycling {
  /** Milliseconds its instances get to go elsewhere. */
  readonly timeoutMs: number;
  /** What happens then: `true` ends the thread with those it still has, `false` keeps it. */
  readonly force: boolean;
}

export type ThreadEvent =
  /** From the pool: run this instance. */
  | { readonly type: 'host'; readonly address: string }
  /** From the pool: run these instances, in this order. */
  | { readonly type: 'host.all'; readonly addresses: readonly string[] }
  /** From the pool: end; nobody is on it who could be waited for. */
  | { readonly type: 'leave'; readonly cause: LeaveCause }
  /** From the pool: have all instances go elsewhere. */
  | ({ readonly type: 'recycle' } & Recycling)
  /** From the worker. */
  | { readonly type: 'worker.ready' }
  | { readonly type: 'worker.failed'; readonly cause: 'error' | 'oom' | 'hang'; readonly error: unknown }
  /** Nobody who can go elsewhere is left. */
  | { readonly type: 'worker.vacated' }
  /** Nobody is left at all: those that could not go have been stopped. */
  | { readonly type: 'worker.emptied' }
  | { readonly type: 'worker.exit'; readonly code: number };

/** What the thread tells the worker. */
export type WorkerCommand =
  | { readonly type: 'host'; readonly address: string }
  | { readonly type: 'host.all'; readonly addresses: readonly string[] }
  /**
   * Have the instances go elsewhere, or, when that took too long, stay. `hold`: who cannot go yet begins nothing new; else
   * all work on until they can go.
   */
  | { readonly type: 'move-out'; readonly hold: boolean }
  | { readonly type: 'stay' }
  | { readonly type: 'hurry' }
  /** Stop those it still has, so that they end what they have begun. */
  | { readonly type: 'wind-down' }
  | { readonly type: 'shut-down'; readonly cause: ThreadCause }
  | { readonly type: 'terminate'; readonly cause: ThreadCause }
  /** It does not end, and may never: go on without it. */
  | { readonly type: 'abandon' };

/** What the thread tells its pool. */
export type ThreadReport =
  | { readonly type: 'thread.ready'; readonly n: number }
  /** It will exit by itself soon or is being terminated: place nothing on it. */
  | { readonly type: 'thread.failing'; readonly n: number }
  /** It was terminated and is still alive: a call into the operating system keeps it, perhaps for ever. */
  | { readonly type: 'thread.stuck'; readonly n: number }
  | { readonly type: 'thread.exited'; readonly n: number; readonly cause: ThreadCause };

export interface ThreadContext extends ThreadInput {
  readonly name: string;
  readonly cause: ThreadCause | undefined;
  readonly recycling: Recycling | undefined;
  /** The worker was told something, so it had been made. */
  readonly told: boolean;
}

/** What those that can go get to do so, once those that cannot have had their time; it takes some milliseconds. */
const HURRY_MS = 1000;
/** What those that are left get to end what they have begun: as much as an instance gets that is stopped by itself. */
const WIND_DOWN_MS = 5000;
/** How long a terminated thread may take to end before its instances go on without it; it takes some milliseconds. */
const TERMINATE_MS = 1000;

/**
 * Provided by the runtime: owns the worker thread of the operating system. When it throws at its start, there
 * must be no such thread.
 */
const worker = fromCallback<
  WorkerCommand,
  Pick<ThreadContext, 'threadId' | 'n' | 'name' | 'instead'> & NonReducibleUnknown
>(() => {
  throw new Error('the thread machine needs the "worker" actor');
});

/**
 * One worker thread, from the moment it is asked for until the operating system has let go of it. It is over
 * only with `worker.exit`: a thread that was told to end is still alive.
 */
export const threadMachine = setup({
  types: {
    input: {} as ThreadInput,
    context: {} as ThreadContext,
    events: {} as ThreadEvent,
  },
  actors: { worker },
  delays: {
    startTimeout: ({ context }) => context.startTimeoutMs,
    terminateTimeout: TERMINATE_MS,
    hurryTimeout: HURRY_MS,
    windDownTimeout: WIND_DOWN_MS,
    recycleTimeout: ({ context }) => context.recycling?.timeoutMs ?? 0,
  },
  guards: {
    isForced: ({ context }) => context.recycling?.force === true,
    demands: ({ event, context }) =>
      event.type === 'recycle' && event.force && context.recycling?.force !== true,
    isUnmade: ({ context }) => !context.told,
  },
  actions: {
    tellHost: sendTo('worker', ({ event }) => event),
    tellReady: sendParent(({ context }): ThreadReport => ({ type: 'thread.ready', n: context.n })),
    tellFailing: sendParent(({ context }): ThreadReport => ({ type: 'thread.failing', n: context.n })),
    tellStuck: sendParent(({ context }): ThreadReport => ({ type: 'thread.stuck', n: context.n })),
    tellExited: sendParent(({ context }): ThreadReport => ({
      type: 'thread.exited',
      n: context.n,
      cause: context.cause ?? 'exit',
    })),
    shutDown: sendTo('worker', ({ context }) => ({ type: 'shut-down', cause: context.cause ?? 'exit' })),
    terminate: sendTo('worker', ({ context }) => ({ type: 'terminate', cause: context.cause ?? 'exit' })),
    moveOut: sendTo('worker', ({ context }) => ({
      type: 'move-out',
      hold: context.recycling?.force === true,
    })),
    hurry: sendTo('worker', { type: 'hurry' }),
    windDown: sendTo('worker', { type: 'wind-down' }),
    stay: sendTo('worker', { type: 'stay' }),
    abandon: sendTo('worker', { type: 'abandon' }),
    rememberLeave: assign({
      cause: ({ event, context }) => (event.type === 'leave' ? event.cause : context.cause),
    }),
    rememberFailure: assign({
      cause: ({ event, context }) => (event.type === 'worker.failed' ? event.cause : context.cause),
    }),
    rememberRecycling: assign({
      recycling: ({ event, context }) => (event.type === 'recycle' ? event : context.recycling),
    }),
    rememberTold: assign({ told: true }),
    rememberRecycled: assign({ cause: 'recycled' }),
    rememberTimeout: assign({ cause: 'init-timeout' }),
    rememberError: assign({ cause: 'error' }),
  },
}).createMachine({
  id: 'thread',
  context: ({ input }) => ({
    ...input,
    name: `holdfast:${input.threadId}:${input.n}`,
    cause: undefined,
    recycling: undefined,
    told: false,
  }),
  invoke: {
    src: 'worker',
    id: 'worker',
    input: ({ context: { threadId, n, name, instead } }) => ({
      threadId,
      n,
      name,
      ...(instead !== undefined && { instead }),
    }),
  },
  on: {
    'worker.exit': '.exited',
    'worker.failed': { target: '.failed', actions: 'rememberFailure' },
    'xstate.error.actor.worker': { target: '.lost', actions: 'rememberError' },
  },
  initial: 'starting',
  states: {
    starting: {
      after: { startTimeout: { target: 'failed', actions: 'rememberTimeout' } },
      on: {
        'worker.ready': { target: 'ready', actions: 'tellReady' },
        host: { actions: ['rememberTold', 'tellHost'] },
        'host.all': { actions: ['rememberTold', 'tellHost'] },
        leave: { target: 'ending', actions: 'rememberLeave' },
        // It could not even be made.
        'xstate.error.actor.worker': { guard: 'isUnmade', target: 'exited', actions: 'rememberError' },
      },
    },
    ready: {
      on: {
        host: { actions: 'tellHost' },
        'host.all': { actions: 'tellHost' },
        leave: { target: 'ending', actions: 'rememberLeave' },
        recycle: { target: 'recycling', actions: 'rememberRecycling' },
      },
    },
    recycling: {
      entry: 'moveOut',
      after: {
        recycleTimeout: [
          { guard: 'isForced', target: 'hurrying' },
          { target: 'ready', actions: ['stay', 'tellReady'] },
        ],
      },
      on: {
        leave: { target: 'ending', actions: 'rememberLeave' },
        // The time that runs is that of the first.
        recycle: { guard: 'demands', actions: ['rememberRecycling', 'moveOut'] },
        'worker.vacated': [
          { guard: 'isForced', target: 'leaving', actions: ['rememberRecycled', 'tellFailing'] },
          { target: 'ready', actions: ['stay', 'tellReady'] },
        ],
      },
    },
    // Those that can go do so now; the others end with the thread.
    hurrying: {
      entry: 'hurry',
      after: { hurryTimeout: { target: 'leaving', actions: ['rememberRecycled', 'tellFailing'] } },
      on: {
        leave: { target: 'ending', actions: 'rememberLeave' },
        'worker.vacated': { target: 'leaving', actions: ['rememberRecycled', 'tellFailing'] },
      },
    },
    // It is well: those that are left are stopped before it ends.
    leaving: {
      entry: 'windDown',
      after: { windDownTimeout: 'ending' },
      on: { 'worker.emptied': 'ending', leave: 'ending' },
    },
    ending: { entry: 'shutDown', after: { terminateTimeout: 'stuck' } },
    failed: {
      entry: ['tellFailing', 'terminate'],
      after: { terminateTimeout: 'stuck' },
      on: { 'worker.failed': {}, 'xstate.error.actor.worker': {} },
    },
    // Its place in the pool is taken until the operating system lets go of it.
    stuck: {
      entry: ['tellStuck', 'abandon'],
      on: { 'worker.failed': {}, 'xstate.error.actor.worker': {} },
    },
    // Nobody is left to tell it anything, but it may be alive: only its exit frees the place.
    lost: { entry: 'tellFailing', on: { 'worker.failed': {} } },
    exited: { type: 'final', entry: 'tellExited' },
  },
});
