import fc from 'fast-check';
import { createActor, sendParent, setup, SimulatedClock, type ActorRefFrom } from 'xstate';
import { describe, expect, test } from 'vitest';
import { poolMachine } from './pool.ts';
import type { PoolInput } from './pool-plan.ts';
import type { threadMachine, ThreadCause, ThreadEvent, ThreadInput, ThreadReport } from './thread.ts';

type Limits = Pick<PoolInput, 'maxThreads' | 'minThreads' | 'idleTimeoutMs'>;
type Happening =
  | { readonly kind: 'start'; readonly n: number }
  | { readonly kind: 'host'; readonly n: number; readonly address: string }
  | { readonly kind: 'leave'; readonly n: number; readonly cause: string };
type FakeEvent =
  | Extract<ThreadEvent, { type: 'host' | 'leave' }>
  | { readonly type: 'report' | 'exit'; readonly report: ThreadReport };

/** A pool over fake threads: they note what they are told, and report what the test lets happen to them. */
class Real {
  readonly clock = new SimulatedClock();
  readonly alive = new Map<number, { send(event: FakeEvent): void }>();
  readonly wrongs: string[] = [];
  happened: Happening[] = [];
  closed = 0;
  readonly pool: ActorRefFrom<typeof poolMachine>;

  constructor(limits: Limits) {
    const thread = setup({
      types: { input: {} as ThreadInput, context: {} as ThreadInput, events: {} as FakeEvent },
      actions: { tell: sendParent(({ event }) => ('report' in event ? event.report : event)) },
    }).createMachine({
      context: ({ input }) => input,
      entry: ({ context, self }) => this.#started(context.n, self),
      initial: 'alive',
      states: {
        alive: {
          on: {
            host: {
              actions: ({ event, context: { n } }) => this.happened.push({ ...event, kind: 'host', n }),
            },
            leave: {
              actions: ({ event, context: { n } }) => this.happened.push({ ...event, kind: 'leave', n }),
            },
            report: { actions: 'tell' },
            exit: 'gone',
          },
        },
        gone: { type: 'final', entry: 'tell' },
      },
    });
    const pool = poolMachine.provide({ actors: { thread: thread as unknown as typeof threadMachine } });
    const machine = setup({ actors: { pool } }).createMachine({
      invoke: {
        src: 'pool',
        id: 'pool',
        input: {
          threadId: 'p',
          startTimeoutMs: 10_000,
          intensity: { restarts: 1_000, withinMs: 60_000 },
          ...limits,
        },
      },
      on: { 'pool.closed': { actions: () => void (this.closed += 1) } },
    });
    const parent = createActor(machine, { clock: this.clock }).start();
    this.pool = parent.getSnapshot().children['pool'] as unknown as ActorRefFrom<typeof poolMachine>;
  }

  #started(n: number, self: { send(event: FakeEvent): void }): void {
    if (this.alive.has(n)) this.wrongs.push(`thread ${n} was started while it was alive`);
    this.alive.set(n, self);
    this.happened.push({ kind: 'start', n });
  }

  report(report: ThreadReport): void {
    const thread = this.alive.get(report.n);
    // The operating system has let go of it before anybody hears of it.
    if (report.type === 'thread.exited') this.alive.delete(report.n);
    thread?.send({ type: report.type === 'thread.exited' ? 'exit' : 'report', report });
  }
}

interface Thread {
  phase: 'starting' | 'ready' | 'leaving';
  owned: number;
  idleSince: number;
}

/** What must be true of a pool, told from what was asked of it and what its threads were told. */
class Model {
  readonly limits: Limits;
  readonly threads = new Map<number, Thread>();
  /** Placed and not yet hosted, in order. */
  due: string[] = [];
  addresses = 0;
  now = 0;
  stopping = false;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  get staying(): Thread[] {
    return [...this.threads.values()].filter(({ phase }) => phase !== 'leaving');
  }

  isIdle(thread: Thread): boolean {
    return (
      thread.phase === 'ready' &&
      thread.owned === 0 &&
      this.now - thread.idleSince >= this.limits.idleTimeoutMs
    );
  }

  start({ n }: { n: number }): string | undefined {
    const { maxThreads } = this.limits;
    const free = n >= 1 && n <= maxThreads && !this.threads.has(n);
    this.threads.set(n, { phase: 'starting', owned: 0, idleSince: 0 });
    return free ? undefined : 'the number is not free';
  }

  host({ n, address }: { n: number; address: string }): string | undefined {
    const thread = this.threads.get(n);
    if (this.due.shift() !== address) return 'nobody placed it, or somebody else was first';
    if (thread === undefined || thread.phase === 'leaving') return 'the thread takes nobody';
    const fewest = Math.min(...this.staying.map(({ owned }) => owned));
    const room = this.threads.size < this.limits.maxThreads;
    const best = room ? 0 : fewest;
    if (thread.owned > best) return `it owns ${thread.owned}, another ${best}`;
    thread.owned += 1;
    return undefined;
  }

  leave({ n, cause }: { n: number; cause: string }): string | undefined {
    const thread = this.threads.get(n);
    if (thread === undefined) return 'there is no such thread';
    const shutdown = this.stopping && cause === 'shutdown';
    const retired = this.isIdle(thread) && this.staying.length > this.limits.minThreads;
    thread.phase = 'leaving';
    return shutdown || (cause === 'retired' && retired) ? undefined : 'it has no reason to leave';
  }
}

/** Lets the model see what happened, and holds it against the pool. */
function follow(model: Model, real: Real): void {
  for (const happening of real.happened.splice(0)) {
    const wrong = model[happening.kind](happening as never);
    if (wrong !== undefined) real.wrongs.push(`${JSON.stringify(happening)}: ${wrong}`);
  }
  const { maxThreads, minThreads } = model.limits;
  const { staying, threads, stopping, due } = model;
  const free = staying.length > 0 || threads.size < maxThreads;
  if (real.alive.size > maxThreads) real.wrongs.push(`${real.alive.size} threads are alive`);
  if (!stopping && free && due.length > 0) real.wrongs.push(`${due.join()} wait although there is room`);
  if (!stopping && staying.length > minThreads && staying.some((thread) => model.isIdle(thread)))
    real.wrongs.push('an idle thread has not retired');
  expect(real.wrongs).toEqual([]);
  expect(new Set(real.alive.keys())).toEqual(new Set(threads.keys()));
  const { context, status, children } = real.pool.getSnapshot();
  const known = context.threads.map(({ n, state, owned }) => [n, state, owned] as const);
  const expected = [...threads].map(([n, { phase, owned }]) => [n, phase, owned] as const);
  expect(new Set(known)).toEqual(new Set(expected));
  expect(context.waiting.values().map(({ address }) => address)).toEqual(due);
  expect(Object.keys(children)).toHaveLength(threads.size);
  const over = stopping && threads.size === 0;
  expect([status, real.closed]).toEqual(over ? ['done', 1] : ['active', 0]);
}

type Command = fc.Command<Model, Real>;

type Act = (n: number, thread: Thread, model: Model, real: Real) => void;

/** Something that happens to one of the threads that `allows` it. */
const onThread = (name: string, allows: (thread: Thread) => boolean, act: Act): fc.Arbitrary<Command> =>
  fc.nat(7).map((pick) => {
    const candidates = ({ threads }: Readonly<Model>) => [...threads].filter(([, thread]) => allows(thread));
    return {
      toString: () => `${name}(${pick})`,
      check: (model) => candidates(model).length > 0,
      run(model, real) {
        const found = candidates(model);
        const [n, thread] = found[pick % found.length] as [number, Thread];
        act(n, thread, model, real);
        follow(model, real);
      },
    };
  });

/** Something that happens to the pool, as long as it is there. */
const onPool = (name: string, act: (model: Model, real: Real) => void): Command => ({
  toString: () => name,
  check: ({ stopping, threads }) => !stopping || threads.size > 0,
  run(model, real) {
    act(model, real);
    follow(model, real);
  },
});

const place = onPool('place', (model, real) => {
  const address = `a/${(model.addresses += 1)}`;
  if (!model.stopping) model.due.push(address);
  real.pool.send({ type: 'place', address });
});
const wait = fc.integer({ min: 1, max: 150 }).map((ms) =>
  onPool(`wait(${ms})`, (model, real) => {
    model.now += ms;
    real.clock.increment(ms);
  }),
);
const stop = onPool('stop', (model, real) => {
  model.stopping = true;
  model.due = [];
  real.pool.send({ type: 'stop' });
});

const busy = ({ owned }: Thread): boolean => owned > 0;
const starting = ({ phase }: Thread): boolean => phase === 'starting';
const leaving = ({ phase }: Thread): boolean => phase === 'leaving';
const anyThread = (): boolean => true;

const release = onThread('release', busy, (n, thread, model, real) => {
  thread.owned -= 1;
  if (thread.owned === 0) thread.idleSince = model.now;
  real.pool.send({ type: 'release', n });
});
const ready = onThread('ready', starting, (n, thread, model, real) => {
  Object.assign(thread, { phase: 'ready', idleSince: model.now });
  real.report({ type: 'thread.ready', n });
});
const failing = onThread('failing', anyThread, (n, thread, _model, real) => {
  thread.phase = 'leaving';
  real.report({ type: 'thread.failing', n });
});
const exitWith =
  (cause: ThreadCause): Act =>
  (n, _thread, model, real) => {
    model.threads.delete(n);
    real.report({ type: 'thread.exited', n, cause });
  };
const exit = onThread('exit', leaving, exitWith('retired'));
const crash = onThread('crash', anyThread, exitWith('exit'));
/** An idle timer that fires although the thread is busy, starting or leaving. */
const notIdle = onThread(
  'idle',
  (thread) => thread.phase !== 'ready' || busy(thread),
  (n, _thread, _model, real) => real.pool.send({ type: 'thread.idle', n }),
);

describe('the pool', () => {
  const limits = fc
    .record({ maxThreads: fc.integer({ min: 1, max: 4 }), min: fc.nat(2), idleTimeoutMs: fc.constant(100) })
    .map(({ maxThreads, min, idleTimeoutMs }) => ({
      maxThreads,
      minThreads: Math.min(min, maxThreads),
      idleTimeoutMs,
    }));
  const [placing, stopping] = [fc.constant(place), fc.constant(stop)];
  const open = [placing, placing, release, release, ready, ready, failing, exit, crash, notIdle, wait, wait];

  test.each([
    ['keeps its promises after every step of any life', open, 500],
    ['keeps them while it closes, and closes when the last thread has exited', [...open, stopping], 300],
  ])('%s', (_name, commands, numRuns) => {
    const lives = fc.commands<Model, Real>(commands, { size: 'large', maxCommands: 80 });
    fc.assert(
      fc.property(limits, lives, (pool, life) => {
        const [model, real] = [new Model(pool), new Real(pool)];
        fc.modelRun(() => {
          follow(model, real);
          expect(model.threads.size).toBe(pool.minThreads);
          return { model, real };
        }, life);
        // However it lived, it can be ended.
        if (!model.stopping) stop.run(model, real);
        for (const n of model.threads.keys()) {
          expect(real.closed).toBe(0);
          model.threads.delete(n);
          real.report({ type: 'thread.exited', n, cause: 'shutdown' });
          follow(model, real);
        }
        expect(real.closed).toBe(1);
      }),
      { numRuns },
    );
  });
});
