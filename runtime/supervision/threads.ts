import type { ThreadCause, ThreadEvent } from '../../actors/thread.ts';
import type { SupervisorEvent } from '../../actors/supervisor.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { EventHub } from '../telling/runtime-events.ts';
import { ThreadHost, type ThreadHostOptions } from '../threads/thread-host.ts';
import { decodeError } from '../wire/errors.ts';
import type { LetterReport } from '../wire/protocol.ts';

/** What the instances of a thread that is replaced get to go elsewhere: as long as they get to start. */
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
  | 'useSecret'
  | 'inspection'
  | 'messages'
  | 'warn'
  | 'logger'
  | 'broker'
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
  /** Of those that were to take the place of others, by name. */
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

  /** Starts one, in the place of the thread `instead` if there is one; `tellActor` gets what happens to it. */
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

  /** Why a thread of that name has not taken the place of another; it is told once. */
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
        // Of one that is to take the place of another, and does not, that is told.
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
