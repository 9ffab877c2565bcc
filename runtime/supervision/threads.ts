import type { ThreadCause, ThreadEvent } from '../../actors/thread.ts';
import type { SupervisorEvent } from '../../actors/supervisor.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { EventHub } from '../telling/runtime-events.ts';
import { ThreadHost, type ThreadHostOptions } from '../threads/thread-host.ts';
import { decodeError } from '../wire/errors.ts';
import type { LetterReport } from '../wire/protocol.ts';

/** Milliseconds that the instances of a replaced thread get to move: as long as they get to start. */
export const RECYCLE_MS = 10_000;

export interface ThreadsOptions extends Pick<
  ThreadHostOptions,
  | 'clock'
  | 'startThread'
  | 'soon'
  | 'scrubText'
  | 'logsPrinted'
  | 'waiting'
  | 'instanceAt'
  | 'visitAt'
  | 'useSecret'
  | 'callTool'
  | 'openStream'
  | 'inspection'
  | 'messages'
  | 'warn'
  | 'logger'
  | 'broker'
  | 'durable'
  | 'storeFailing'
> {
  readonly agents: readonly ResolvedAgent[];
  readonly hub: EventHub;
  readonly deadLetters: DeadLetters;
  readonly tell: (event: SupervisorEvent) => void;
}

/** The worker threads that are alive, by pool. */
export class Threads {
  readonly #options: ThreadsOptions;
  readonly #hosts = new Map<string, Set<ThreadHost>>();
  /** The failures of threads that were to replace others, by name. */
  readonly #failures = new Map<string, Error>();

  constructor(options: ThreadsOptions) {
    this.#options = options;
  }

  of(threadId: string): ThreadHost[] {
    return Array.from(this.#hosts.get(threadId) ?? []);
  }

  all(): ThreadHost[] {
    return [...this.#hosts.values()].flatMap((hosts) => Array.from(hosts));
  }

  /** Starts a thread, as the replacement of thread `instead` if given; `tellActor` is called with what happens to it. */
  start(
    pool: ResolvedPool,
    thread: { readonly n: number; readonly name: string; readonly instead?: number | undefined },
    tellActor: (event: ThreadEvent) => void,
  ): ThreadHost {
    try {
      return this.#start(pool, thread, tellActor);
    } catch (error) {
      if (thread.instead !== undefined && error instanceof Error) this.#failures.set(thread.name, error);
      throw error;
    }
  }

  /** Returns, once, why the thread of that name has not replaced another. */
  takeFailure(name: string): Error | undefined {
    const error = this.#failures.get(name);
    this.#failures.delete(name);
    return error;
  }

  #start(
    pool: ResolvedPool,
    {
      n,
      name,
      instead,
    }: { readonly n: number; readonly name: string; readonly instead?: number | undefined },
    tellActor: (event: ThreadEvent) => void,
  ): ThreadHost {
    const { agents, hub, tell, ...rest } = this.#options;
    const { threadId } = pool;
    const before = instead === undefined ? undefined : this.of(threadId).find((one) => one.n === instead);
    const runs = new Set(before?.occupants().map(({ agent }) => agent));
    const hosts = this.#hosts.get(threadId) ?? new Set();
    this.#hosts.set(threadId, hosts);
    hub.emit('thread', { threadId, name, state: 'starting' });
    const host: ThreadHost = new ThreadHost({
      ...rest,
      pool,
      n,
      name,
      runs: [...runs],
      moduleUrls: agents.filter((agent) => agent.threadId === threadId).map(({ moduleUrl }) => moduleUrl),
      recycle: (of) => tell({ type: 'thread.recycle', threadId, n: of, timeoutMs: RECYCLE_MS, force: false }),
      release: (freed) => tell({ type: 'instance.release', threadId, n: freed }),
      letter: (report) => this.#letter(report),
      tell: (event) => {
        const on = host.instances;
        // A replacement that does not start is reported as a failed replacement, not as a failed thread.
        const tried = instead !== undefined && !host.ready;
        if (event.type === 'worker.exit') hosts.delete(host);
        if (event.type === 'worker.exit' && tried) this.#failures.set(name, host.failure(event.code));
        tellActor(event);
        if (event.type === 'worker.ready') hub.emit('thread', { threadId, name, state: 'ready' });
        if (event.type === 'worker.exit') this.#ended(threadId, host);
        else if (event.type === 'worker.failed' && !tried) this.#failed(host, event.cause, event.error, on);
      },
    });
    hosts.add(host);
    return host;
  }

  #failed({ name }: ThreadHost, cause: ThreadCause, error: unknown, instances: number): void {
    const fields = { thread: name, cause, instances, error };
    this.#options.logger.error(fields, 'a thread failed; its instances go on by their policies');
  }

  #ended(threadId: string, { name, cause }: ThreadHost): void {
    this.#options.hub.emit('thread', { threadId, name, state: 'exited', cause });
    if (cause === 'exit') this.#options.logger.error({ thread: name, cause }, 'a thread ended by itself');
  }

  #letter({ address, reason, event, inPart = false, why, evidence }: LetterReport): void {
    const { instanceAt, deadLetters } = this.#options;
    const incarnation = instanceAt(address)?.incarnation ?? 0;
    const suspected = evidence && { evidence: { ...evidence, error: decodeError(evidence.error) } };
    deadLetters.add({ address, reason, event, inPart, incarnation, ...(why && { why }), ...suspected });
  }
}
