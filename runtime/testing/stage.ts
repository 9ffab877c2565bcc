import type { StartThread } from '../threads/os-thread.ts';
import { InProcessThread } from './in-process-thread.ts';
import type { Random } from './random.ts';
import type { ScheduledPort } from './scheduled-port.ts';
import { scheduledStoreWay } from './scheduled-store-way.ts';
import { Scheduler } from './scheduler.ts';
import type { StoreWay } from './store-way.ts';
import type { TestThread } from './test-thread.ts';
import type { Pulse } from './thread-control.ts';
import type { Time } from './timers.ts';
import { WorkerThread } from './worker-thread.ts';

/** Where the threads of a test run. */
export interface Stage {
  readonly startThread: StartThread;
  /** All that were started and have not ended, oldest first. */
  threads(): TestThread[];
  /** Resolves when nothing is under way any more; never, if that never happens. */
  quiet(): Promise<void>;
  /** Opens the way of one process to its store. */
  storeWay(): StoreWay;
  /** What happened, in order. */
  readonly trace: readonly string[];
}

const alive = <T extends TestThread>(threads: readonly T[]): T[] =>
  threads.filter(({ state }) => state !== 'ended');

/** All threads in this one, in an order that follows from chance alone. */
export function inProcess(time: Time, random: Random): Stage {
  const scheduler = new Scheduler(random, () => time.now);
  let threads: InProcessThread[] = [];
  const halves = new Map<number, ScheduledPort>();
  let started = 0;
  return {
    startThread(spec) {
      started += 1;
      const thread = new InProcessThread({ spec, threadId: started, scheduler, time, random, halves });
      threads = [...alive(threads), thread];
      return thread;
    },
    threads: () => alive(threads),
    quiet: () => scheduler.idle(),
    storeWay: () => scheduledStoreWay(scheduler),
    trace: scheduler.trace,
  };
}

/** Each thread a worker thread, as in production. */
export function onThreads(time: Time): Stage {
  let threads: WorkerThread[] = [];
  let works = 0;
  const ways: StoreWay = {
    there: async () => {},
    async work(work) {
      works += 1;
      try {
        return await work;
      } finally {
        works -= 1;
      }
    },
    back: async () => {},
    cut() {},
  };
  return {
    startThread(spec) {
      const thread = new WorkerThread(spec, time.now);
      threads = [...alive(threads), thread];
      return thread;
    },
    threads: () => alive(threads),
    storeWay: () => ways,
    async quiet() {
      let last: string | undefined;
      for (;;) {
        for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
        const pulses = await Promise.all(alive(threads).map((thread) => thread.pulse()));
        const moving = works > 0 || pulses.includes(undefined) || betweenThreads(pulses);
        const now = moving ? undefined : JSON.stringify(pulses);
        if (now !== undefined && now === last) return;
        last = now;
      }
    },
    trace: [],
  };
}

/** Whether anything is under way between two threads, each of which says what it has sent and received. */
function betweenThreads(pulses: readonly (Pulse | undefined)[]): boolean {
  const halves = new Map<number, readonly [sent: number, received: number]>();
  for (const pulse of pulses) {
    for (const [id, sent, received] of pulse?.[4] ?? []) {
      const other = halves.get(id);
      if (other === undefined) halves.set(id, [sent, received]);
      else if (other[0] !== received || other[1] !== sent) return true;
    }
  }
  return false;
}
