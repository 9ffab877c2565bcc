import fc from 'fast-check';
import {
  createActor,
  fromCallback,
  setup,
  SimulatedClock,
  type ActorRefFrom,
  type InspectionEvent,
} from 'xstate';
import { describe, expect, test } from 'vitest';
import { poolMachine } from './pool.ts';
import type { PoolInput } from './pool-plan.ts';
import { threadMachine, type ThreadEvent, type WorkerCommand } from './thread.ts';

/** Counts the timers that are running. */
class CountingClock extends SimulatedClock {
  readonly running = new Set<number>();

  override setTimeout(run: (...args: unknown[]) => void, ms: number): number {
    const id = super.setTimeout(() => {
      this.running.delete(id);
      run();
    }, ms);
    this.running.add(id);
    return id;
  }

  override clearTimeout(id: number): void {
    this.running.delete(id);
    super.clearTimeout(id);
  }
}

interface FakeWorker {
  readonly name: string;
  readonly commands: WorkerCommand[];
  tell(event: ThreadEvent): void;
}

/** A pool with its own threads; only their workers are fakes, which obey when the test says so. */
function startPool(limits: Partial<PoolInput> & { cannotStart?: (name: string) => boolean } = {}) {
  const { cannotStart = () => false, ...rest } = limits;
  const clock = new CountingClock();
  const workers: FakeWorker[] = [];
  const closed: string[] = [];
  /** What the pool told its supervisor, but for its end. */
  const told: string[] = [];
  const worker = fromCallback<WorkerCommand, { threadId: string; n: number; name: string }>(
    ({ input: { name }, receive, sendBack }) => {
      if (cannotStart(name)) throw new Error('the machine has no thread left');
      const commands: WorkerCommand[] = [];
      workers.push({ name, commands, tell: sendBack });
      receive((command) => void commands.push(command));
    },
  );
  const pool = poolMachine.provide({ actors: { thread: threadMachine.provide({ actors: { worker } }) } });
  const input: PoolInput = {
    threadId: 'p',
    intensity: { restarts: 3, withinMs: 60_000 },
    maxThreads: 2,
    minThreads: 0,
    idleTimeoutMs: 60_000,
    startTimeoutMs: 10_000,
    ...rest,
  };
  const root = setup({ actors: { pool } }).createMachine({
    invoke: { src: 'pool', id: 'pool', input },
    on: {
      'pool.closed': { actions: ({ event }) => void closed.push(String(event['threadId'])) },
      'pool.refused': {
        actions: ({ event }) => void told.push(`refused ${event['address']}: ${event['why']}`),
      },
      'pool.exhausted': {
        actions: ({ event }) => void told.push(`exhausted by ${(event['strikes'] as unknown[]).length}`),
      },
    },
  });
  const heard: string[] = [];
  const inspect = (seen: InspectionEvent): void => {
    if (seen.type === '@xstate.event') heard.push(seen.event.type);
  };
  const parent = createActor(root, { clock, inspect }).start();
  const ref = parent.getSnapshot().children['pool'] as unknown as ActorRefFrom<typeof poolMachine>;
  const place = (...addresses: string[]): void => {
    for (const address of addresses) ref.send({ type: 'place', address });
  };
  const workerAt = (index: number): FakeWorker => workers.at(index) as FakeWorker;
  const threads = () => ref.getSnapshot().context.threads.map(({ n, state, owned }) => [n, state, owned]);
  return { ref, clock, workers, workerAt, closed, told, heard, place, threads };
}

const exit: ThreadEvent = { type: 'worker.exit', code: 1 };
const ready: ThreadEvent = { type: 'worker.ready' };
const failure: ThreadEvent = { type: 'worker.failed', cause: 'error', error: new Error('boom') };

describe('a pool with its threads', () => {
  test('starts no thread before somebody is placed, and then one for each up to the cap', () => {
    const { place, workers, threads } = startPool({ maxThreads: 3 });
    expect(workers).toEqual([]);
    place('a/1', 'a/2', 'a/3', 'a/4');
    expect(workers.map(({ name, commands }) => [name, commands.length])).toEqual([
      ['holdfast:p:1', 2],
      ['holdfast:p:2', 1],
      ['holdfast:p:3', 1],
    ]);
    expect(threads()).toEqual([
      [1, 'starting', 2],
      [2, 'starting', 1],
      [3, 'starting', 1],
    ]);
  });

  test('places several at once as one after the other, and tells each thread once, starting or not', () => {
    const { ref, workers, workerAt, threads } = startPool({ maxThreads: 2 });
    const all = (...addresses: string[]) =>
      ref.send({ type: 'place.all', wanted: addresses.map((address) => ({ address })) });
    all('a/1', 'a/2', 'a/3');
    workerAt(0).tell(ready);
    all('a/4', 'a/5', 'a/6');
    expect(workers.map(({ commands }) => commands)).toEqual([
      [
        { type: 'host.all', addresses: ['a/1', 'a/3'] },
        { type: 'host.all', addresses: ['a/5'] },
      ],
      [
        { type: 'host.all', addresses: ['a/2'] },
        { type: 'host.all', addresses: ['a/4', 'a/6'] },
      ],
    ]);
    expect(threads()).toEqual([
      [1, 'ready', 3],
      [2, 'starting', 3],
    ]);
  });

  test('replaces a failed thread only after its exit was seen, and keeps its number free until then', () => {
    const { place, workers, workerAt, threads } = startPool({ maxThreads: 1 });
    place('a/1');
    workerAt(0).tell(ready);
    workerAt(0).tell(failure);
    place('a/1', 'a/2');
    expect(workers).toHaveLength(1);
    expect(threads()).toEqual([[1, 'leaving', 1]]);
    workerAt(0).tell(exit);
    expect(workers.map(({ name }) => name)).toEqual(['holdfast:p:1', 'holdfast:p:1']);
    expect(workerAt(1).commands).toEqual([
      { type: 'host', address: 'a/1' },
      { type: 'host', address: 'a/2' },
    ]);
  });

  test('a thread that does not start in time makes room when it is gone', () => {
    const { clock, ref, place, workerAt, threads } = startPool({ maxThreads: 1 });
    place('a/1');
    clock.increment(10_000);
    place('a/2');
    expect(threads()).toEqual([[1, 'leaving', 1]]);
    expect(workerAt(0).commands.at(-1)).toEqual({ type: 'terminate', cause: 'init-timeout' });
    workerAt(0).tell(exit);
    expect([threads(), ref.getSnapshot().context.ended]).toEqual([
      [[1, 'starting', 1]],
      { 'init-timeout': 1 },
    ]);
  });

  test('a worker that cannot be made costs no place, and the pool goes on', () => {
    let broken = true;
    const { ref, place, threads, workerAt, closed } = startPool({
      maxThreads: 1,
      minThreads: 1,
      cannotStart: () => broken,
    });
    expect([threads(), ref.getSnapshot().status]).toEqual([[], 'active']);
    broken = false;
    place('a/1');
    expect(workerAt(0).commands).toEqual([{ type: 'host', address: 'a/1' }]);
    ref.send({ type: 'stop' });
    workerAt(0).tell(exit);
    expect(closed).toEqual(['p']);
  });

  test('an idle thread is shut down after the timeout, and retired when it has exited', () => {
    const { clock, ref, place, workerAt, threads } = startPool();
    place('a/1');
    workerAt(0).tell(ready);
    ref.send({ type: 'release', n: 1 });
    clock.increment(59_999);
    expect(threads()).toEqual([[1, 'ready', 0]]);
    clock.increment(1);
    expect(threads()).toEqual([[1, 'leaving', 0]]);
    expect(workerAt(0).commands.at(-1)).toEqual({ type: 'shut-down', cause: 'retired' });
    workerAt(0).tell({ type: 'worker.exit', code: 0 });
    expect(ref.getSnapshot().context).toMatchObject({ threads: [], peak: 1, ended: { retired: 1 } });
  });

  test('each use starts the idle time anew', () => {
    const { clock, ref, place, workerAt, threads } = startPool({ maxThreads: 1 });
    place('a/1');
    workerAt(0).tell(ready);
    for (let use = 0; use < 5; use += 1) {
      ref.send({ type: 'release', n: 1 });
      clock.increment(50_000);
      place('a/1');
      clock.increment(50_000);
    }
    expect(threads()).toEqual([[1, 'ready', 1]]);
  });

  test('the minimum is started at once and outlives any idle time', () => {
    const { clock, workers, threads } = startPool({ maxThreads: 3, minThreads: 2 });
    for (const worker of workers) worker.tell(ready);
    clock.increment(1_000_000);
    expect(threads()).toEqual([
      [1, 'ready', 0],
      [2, 'ready', 0],
    ]);
  });

  test('leaves no timer behind when a thread is gone', () => {
    const { clock, ref, place, workerAt } = startPool();
    place('a/1');
    workerAt(0).tell(ready);
    ref.send({ type: 'release', n: 1 });
    expect(clock.running.size).toBe(1);
    workerAt(0).tell(exit);
    expect(clock.running.size).toBe(0);
  });

  test('shuts every thread down when it stops, and closes when the last has exited', () => {
    const { ref, place, workers, workerAt, closed } = startPool();
    place('a/1', 'a/2');
    workerAt(0).tell(ready);
    ref.send({ type: 'stop' });
    expect(workers.map(({ commands }) => commands.at(-1))).toEqual([
      { type: 'shut-down', cause: 'shutdown' },
      { type: 'shut-down', cause: 'shutdown' },
    ]);
    workerAt(1).tell(exit);
    expect([closed, ref.getSnapshot().value]).toEqual([[], 'closing']);
    workerAt(0).tell(exit);
    expect([closed, ref.getSnapshot().status]).toEqual([['p'], 'done']);
  });

  test('ends after the actors of its threads, so that none of them tells it anything too late', () => {
    const { ref, place, workers, heard } = startPool();
    place('a/1', 'a/2');
    ref.send({ type: 'stop' });
    for (const worker of workers) worker.tell(exit);
    const ends = heard.filter((type) => type.startsWith('xstate.done.actor') || type === 'pool.closed');
    expect(ends).toEqual([
      'xstate.done.actor.thread:1',
      'xstate.done.actor.thread:2',
      'pool.closed',
      'xstate.done.actor.pool',
    ]);
  });

  test('without threads it closes at once, and what waited is dropped when it stops', () => {
    const idle = startPool();
    idle.ref.send({ type: 'stop' });
    expect(idle.closed).toEqual(['p']);
    const full = startPool({ maxThreads: 1 });
    full.place('a/1');
    full.workerAt(0).tell(failure);
    full.place('a/2');
    full.ref.send({ type: 'stop' });
    full.place('a/3');
    full.workerAt(0).tell(exit);
    expect([full.workers.length, full.closed]).toEqual([1, ['p']]);
  });

  test('a thread that crashes while the pool stops does not keep it open', () => {
    const { ref, place, workerAt, closed } = startPool();
    place('a/1');
    workerAt(0).tell(ready);
    ref.send({ type: 'stop' });
    workerAt(0).tell(failure);
    expect(closed).toEqual([]);
    workerAt(0).tell(exit);
    expect([closed, ref.getSnapshot().context.ended]).toEqual([['p'], { error: 1 }]);
  });
});

describe('a pool whose thread actor itself throws', () => {
  test('lives on, and counts its thread as alive because no exit was seen', () => {
    const thread = fromCallback<ThreadEvent>(({ receive }) => {
      receive(() => {
        throw new Error('broken thread actor');
      });
    }) as unknown as typeof threadMachine;
    const input = {
      threadId: 'p',
      maxThreads: 1,
      minThreads: 0,
      idleTimeoutMs: 1,
      startTimeoutMs: 1,
      intensity: { restarts: 3, withinMs: 60_000 },
    };
    const pool = createActor(poolMachine.provide({ actors: { thread } }), { input }).start();
    pool.send({ type: 'place', address: 'a/1' });
    const { status, context } = pool.getSnapshot();
    expect([status, context.threads]).toMatchObject(['active', [{ n: 1, state: 'starting', owned: 1 }]]);
  });
});

describe('a placement that waits for a thread', () => {
  test('is refused after as long as a thread may take to start, and not a millisecond before', () => {
    const { clock, place, workerAt, told } = startPool({ maxThreads: 1, startTimeoutMs: 5_000 });
    place('a/1');
    workerAt(0).tell(ready);
    workerAt(0).tell(failure);
    place('a/2');
    clock.increment(4_999);
    expect(told).toEqual([]);
    clock.increment(1);
    expect(told).toEqual(['refused a/2: full']);
  });

  test('leaves no timer behind when it was placed, or the pool closes', () => {
    const { ref, clock, place, workerAt, told } = startPool({ maxThreads: 1 });
    place('a/1');
    workerAt(0).tell(ready);
    workerAt(0).tell(failure);
    place('a/2');
    workerAt(0).tell(exit);
    workerAt(1).tell(ready);
    expect(clock.running.size).toBe(0);
    workerAt(1).tell(failure);
    const others = clock.running.size;
    place('a/3');
    expect(clock.running.size).toBe(others + 1);
    ref.send({ type: 'stop' });
    expect([clock.running.size, told]).toEqual([others, []]);
  });
});

describe('a pool that counts what fails', () => {
  const limits = { maxThreads: 1, intensity: { restarts: 2, withinMs: 1_000 } };

  /** Places an address and has its thread end before it is ready. */
  function rig() {
    const pool = startPool(limits);
    const failStart = (address: string): void => {
      pool.place(address);
      pool.workerAt(-1).tell(failure);
      pool.workerAt(-1).tell(exit);
    };
    return { ...pool, failStart };
  }

  test('window boundary exact: as many as allowed within it, one more at its last millisecond is too many', () => {
    const { clock, failStart, told, place } = rig();
    failStart('a/1');
    clock.increment(500);
    failStart('a/2');
    clock.increment(499);
    expect(told).toEqual([]);
    failStart('a/3');
    expect(told).toEqual(['exhausted by 3']);
    place('a/4');
    expect(told.at(-1)).toBe('refused a/4: exhausted');
  });

  test('window boundary exact: when it has just passed, one more is allowed', () => {
    const { clock, failStart, told } = rig();
    failStart('a/1');
    clock.increment(500);
    failStart('a/2');
    clock.increment(500);
    failStart('a/3');
    expect(told).toEqual([]);
    clock.increment(499);
    failStart('a/4');
    expect(told).toEqual(['exhausted by 3']);
  });

  test('any strikes: it is exhausted by the first that has as many as allowed in the window before it', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 1_500 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        gaps,
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 2_000 }),
        (waits, restarts, withinMs) => {
          const { ref, clock, told } = startPool({ intensity: { restarts, withinMs } });
          const times: number[] = [];
          for (const wait of waits) {
            clock.increment(wait);
            const now = clock.now();
            const recent = times.filter((time) => now - time < withinMs).length;
            ref.send({ type: 'escalation', address: 'a/1' });
            times.push(now);
            expect(told.length).toBe(recent >= restarts ? 1 : 0);
            if (told.length > 0) return;
          }
        },
      ),
    );
  });

  test('tries one thread after a window of quiet, and is open again when that is ready', () => {
    const { clock, failStart, place, workers, workerAt, told, ref } = rig();
    for (const address of ['a/1', 'a/2', 'a/3']) failStart(address);
    clock.increment(999);
    place('a/4');
    expect(told.at(-1)).toBe('refused a/4: exhausted');
    clock.increment(1);
    place('a/5');
    expect(workers).toHaveLength(4);
    workerAt(-1).tell(ready);
    expect(ref.getSnapshot().context).toMatchObject({ health: 'open', strikes: [] });
  });

  test('stays exhausted for another window when the thread that it tried fails, and says so once', () => {
    const { clock, failStart, place, told } = rig();
    for (const address of ['a/1', 'a/2', 'a/3']) failStart(address);
    clock.increment(1_000);
    failStart('a/4');
    clock.increment(999);
    place('a/5');
    clock.increment(1);
    place('a/6');
    expect(told).toEqual(['exhausted by 3', 'refused a/5: exhausted']);
  });
});
