import { within, type Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Instance } from '../instance/instance.ts';
import type { ThreadHost } from '../threads/thread-host.ts';

/** The share of the time, from the beginning, by which each part is over. */
const SHARE = { drain: 1 / 2, commits: 5 / 8, instances: 3 / 4, flush: 7 / 8 };
/** Milliseconds between two checks whether the threads make progress. */
const LOOK_MS = 50;
/** The most instances that a warning names. */
const NAMED = 10;

/** The parts of a system to shut down, and how each ends. */
export interface ShutDown {
  readonly clock: Clock;
  /** Resolves when all that was sent before was handled, or after `ms`. */
  readonly drained: (ms: number) => Promise<unknown>;
  /** Returns the instances in the order in which they are to end. */
  readonly instances: () => readonly Instance[];
  /** The threads that run now. */
  readonly threads: () => readonly Pick<ThreadHost, 'name' | 'pool' | 'n' | 'standstill' | 'occupants'>[];
  /** Ends a thread at once, whatever it is doing. */
  readonly endThread: (thread: Pick<ThreadHost, 'pool' | 'n'>) => void;
  /** Resolves when all that durable instances have to commit is committed; rejects when it cannot be. */
  readonly committed: () => Promise<void>;
  /** Gives up what is not committed by now: nothing of it is told. */
  readonly giveUpCommits: () => void;
  /** Resolves when the states of the instances are saved and telemetry about them is sent, or cannot be. */
  readonly flush: () => Promise<void>;
  /** Stops MCP servers, secrets and the audit trail, which the instances used. */
  readonly stopSecrets: () => Promise<void>;
  /** Resolves when all threads have ended. */
  readonly stopThreads: () => Promise<void>;
  readonly warn: (fields: object, message: string) => void;
}

/**
 * Ends a system within `timeoutMs`: half of it for mailboxes to empty, a quarter for instances to stop, an eighth each for
 * what is to be saved, and for threads and secrets to end. Time that one part does not need goes to the next. All threads
 * stop side by side, each its instances in their order, with one message. A thread that has been at one and the same turn
 * for half of the time, or that does not answer by then, is ended without waiting, and its instances are reported.
 */
export async function shutDown(timeoutMs: number, what: ShutDown): Promise<void> {
  const { clock } = what;
  const begun = clock.now();
  const leftOf = (share: number): number => Math.max(0, begun + share * timeoutMs - clock.now());
  const bounded = (share: number, work: Promise<unknown>): Promise<boolean> =>
    within(clock, leftOf(share), work, tooLate).then(
      () => true,
      () => false,
    );
  const before = what.instances();
  const unwatch = watchThreads(timeoutMs * SHARE.drain, what);
  await what.drained(leftOf(SHARE.drain));
  // Neither an instance nor a thread ends before what it has let out is committed.
  if (!(await bounded(SHARE.commits, what.committed()))) what.giveUpCommits();
  const instances = what.instances();
  // In the host the instances end in their order over all threads, as long as none keeps the others waiting.
  let late = (): void => {};
  const overdue = new Promise<void>((resolve) => {
    late = resolve;
  });
  let last: Promise<unknown> = Promise.resolve();
  const stops = instances.map((instance) => (last = ended(instance, Promise.race([last, overdue]))));
  const stopped = Promise.all(stops);
  const all = await bounded(SHARE.instances, stopped);
  unwatch();
  if (!all) for (const thread of what.threads()) if (thread.occupants().length > 0) what.endThread(thread);
  const flushed = bounded(SHARE.flush, what.flush());
  if (!all) await bounded(SHARE.flush, stopped);
  late();
  if (!(await flushed)) what.giveUpCommits();
  tellCut([...new Set([...before, ...instances])], what);
  // Whatever the parts before came to, no secret outlives them.
  const secrets = bounded(1, what.stopSecrets());
  if (!(await bounded(1, what.stopThreads()))) {
    const threads = what.threads().map(({ name }) => name);
    what.warn({ threads }, `stop gave up after ${timeoutMs} ms; these threads do not end`);
  }
  await secrets;
}

/** Ends an instance. One that another runtime has continued ends here too; whoever stopped it before is told so. */
function ended(instance: Pick<Instance, 'stop'>, turn?: Promise<unknown>): Promise<void> {
  return instance.stop('shutdown', turn).catch(() => {});
}

/** Ends threads that have been at one and the same work for `ms`; returns a function that stops watching. */
function watchThreads(ms: number, { clock, threads, endThread }: ShutDown): () => void {
  const look = (): void => {
    for (const thread of threads()) {
      if (thread.standstill() < ms) continue;
      for (const instance of thread.occupants().toReversed()) void ended(instance);
      endThread(thread);
    }
    timer = clock.setTimeout(look, LOOK_MS);
  };
  let timer: unknown;
  look();
  return () => clock.clearTimeout(timer);
}

/** Warns of the instances whose cleanup has not run: child processes, locks and the like may be left. */
function tellCut(instances: readonly Instance[], { warn }: ShutDown): void {
  const cut = instances
    .filter((instance) => instance.cut || instance.phase !== 'ended')
    .map(({ address }) => address);
  if (cut.length === 0) return;
  const message =
    `stop ended ${cut.length} of ${instances.length} instances with their threads, which did not stop them in time; ` +
    'what they had begun may be left, such as child processes and locks';
  warn({ count: cut.length, addresses: cut.slice(0, NAMED) }, message);
}

function tooLate(): Error {
  return new HoldfastError('RUNTIME_STOPPED', 'the time to stop is up');
}
