import { MessageChannel, Worker, type Transferable } from 'node:worker_threads';
import type { ResolvedPool } from '../config/resolve.ts';
import { forwardOutput } from './thread-output.ts';
import type { LinkPort } from '../wire/link.ts';
import type { ThreadData } from '../wire/protocol.ts';
import { workerEntry, workerOptions } from './worker-options.ts';

/** Takes a line that a thread has printed, by the stream it printed it to. */
export type PrintTo = (stream: 'stdout' | 'stderr', line: string) => void;

/** What a thread is started with. */
export interface ThreadSpec {
  readonly pool: ResolvedPool;
  /** `holdfast:<threadId>:<n>` */
  readonly name: string;
  /** Modules of the agents that may run on it. */
  readonly moduleUrls: readonly string[];
  /** Takes the values of secrets out of what it prints. */
  readonly scrubText: (text: string) => string;
  /** Gets each line that it prints. Default: those go to the output of the process. */
  readonly print?: PrintTo | undefined;
  /** What its code is born with, but for its end of the channel. */
  readonly data: Omit<ThreadData, 'port'>;
}

/** A thread as its host needs it: a worker thread of the operating system, or what stands in for one. */
export interface OsThread {
  /** Node's id; -1 when it is gone. */
  readonly threadId: number;
  /**
   * Begins a reading, each call of which gives the share of the time since the last one in which the event loop was
   * busy; absent where nobody can know.
   */
  readonly readLoad?: () => () => number;
  /** Bytes of its heap that are in use; absent, or undefined, where nobody can know. */
  readonly heapUsed?: () => Promise<number | undefined>;
  /** The host's end of the channel to it. */
  readonly port: LinkPort;
  /** Has it end, whatever it is doing; `exit` tells when it has. */
  terminate(): void;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
}

interface HeapStatistics {
  getHeapStatistics?(): Promise<{ readonly used_heap_size: number }>;
}

/** Starts a thread; throws when it cannot even be made. */
export type StartThread = (spec: ThreadSpec) => OsThread;

export interface WorkerEntry {
  readonly url: URL;
  /** Joins `workerData`. */
  readonly data?: object;
  readonly transfer?: readonly Transferable[];
}

/** Starts a worker thread of Node. */
export function startWorker(spec: ThreadSpec, entry: WorkerEntry = { url: workerEntry }): OsThread {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(entry.url, {
    ...workerOptions(spec.pool, spec.name, spec.moduleUrls, entry.url),
    stdout: true,
    stderr: true,
    workerData: { ...spec.data, isolation: spec.pool.isolation, ...entry.data, port: port2 },
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
    // Node 22.18 has it, its types do not.
    heapUsed: async () => (await (worker as HeapStatistics).getHeapStatistics?.())?.used_heap_size,
    port: port1,
    terminate: () => void worker.terminate(),
    on: worker.on.bind(worker),
  };
}
