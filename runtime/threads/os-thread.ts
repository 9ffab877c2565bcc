import { MessageChannel, Worker, type Transferable } from 'node:worker_threads';
import type { ResolvedPool } from '../config/resolve.ts';
import { forwardOutput } from './thread-output.ts';
import type { LinkPort } from '../wire/link.ts';
import type { ThreadData } from '../wire/protocol.ts';
import { workerEntry, workerOptions } from './worker-options.ts';

/** Takes a line that a thread has printed, with the stream it was printed to. */
export type PrintTo = (stream: 'stdout' | 'stderr', line: string) => void;

/** The specification of a thread to start. */
export interface ThreadSpec {
  readonly pool: ResolvedPool;
  /** `holdfast:<threadId>:<n>` */
  readonly name: string;
  /** The modules of the agents that may run on the thread. */
  readonly moduleUrls: readonly string[];
  /** Takes the values of secrets out of what the thread prints. */
  readonly scrubText: (text: string) => string;
  /** Takes each line that the thread prints. Default: lines go to the output of the process. */
  readonly print?: PrintTo | undefined;
  /** The data that the thread's code starts with, except its end of the channel. */
  readonly data: Omit<ThreadData, 'port'>;
}

/** A thread as its host needs it: a worker thread of the operating system, or a stand-in for one. */
export interface OsThread {
  /** Node's id of the worker thread; -1 when the thread is gone. */
  readonly threadId: number;
  /**
   * Begins a reading of the load and returns a function, each call of which gives the share of time since the last one in
   * which the event loop was busy, 0 to 1; absent where nobody can know.
   */
  readonly readLoad?: () => () => number;
  /** Resolves with the bytes of the heap in use; absent, or `undefined`, where nobody can know. */
  readonly heapUsed?: () => Promise<number | undefined>;
  /** Begins a CPU profile; the function that is returned ends it, and gives it as JSON. Absent where nobody can. */
  readonly startProfile?: (() => Promise<() => Promise<string>>) | undefined;
  /** The host's end of the channel to it. */
  readonly port: LinkPort;
  /** Ends the thread, whatever it is doing; `exit` tells when it has ended. */
  terminate(): void;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
}

interface HeapStatistics {
  getHeapStatistics?(): Promise<{ readonly used_heap_size: number }>;
}

/** Starts a thread; throws when the thread cannot be created. */
export type StartThread = (spec: ThreadSpec) => OsThread;

export interface WorkerEntry {
  readonly url: URL;
  /** Merged into `workerData`. */
  readonly data?: object;
  readonly transfer?: readonly Transferable[];
}

/** Starts a worker thread of Node. */
export function startWorker(spec: ThreadSpec, entry: WorkerEntry = { url: workerEntry }): OsThread {
  const { port1, port2 } = new MessageChannel();
  const options = workerOptions(spec.pool, spec.name, spec.moduleUrls, entry.url);
  const hasHostsCompileCache = Object.keys(options.env).some((name) => !Object.hasOwn(spec.pool.env, name));
  const worker = new Worker(entry.url, {
    ...options,
    stdout: true,
    stderr: true,
    workerData: {
      ...spec.data,
      isolation: spec.pool.isolation,
      hasHostsCompileCache,
      ...entry.data,
      port: port2,
    },
    transferList: [port2, ...(entry.transfer ?? [])],
  });
  const { scrubText, print } = spec;
  for (const name of ['stdout', 'stderr'] as const)
    forwardOutput(worker[name], {
      to: process[name],
      scrubText,
      print: print && ((line) => print(name, line)),
    });
  const { performance } = worker;
  return {
    get threadId() {
      return worker.threadId;
    },
    readLoad() {
      let before = performance.eventLoopUtilization();
      return () => {
        const now = performance.eventLoopUtilization();
        const { utilization } = performance.eventLoopUtilization(now, before);
        before = now;
        return utilization;
      };
    },
    // Node 22.18 has `getHeapStatistics`; its types do not.
    heapUsed: async () => (await (worker as HeapStatistics).getHeapStatistics?.())?.used_heap_size,
    startProfile: profiles(worker),
    port: port1,
    terminate: () => void worker.terminate(),
    on: worker.on.bind(worker),
  };
}

/** Node has it since 24.8. */
function profiles(worker: Worker): OsThread['startProfile'] {
  const { startCpuProfile } = worker as Partial<Pick<Worker, 'startCpuProfile'>>;
  if (startCpuProfile === undefined) return undefined;
  return async () => {
    const profile = await startCpuProfile.call(worker);
    return () => profile.stop();
  };
}
