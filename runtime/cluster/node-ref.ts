import { checkCall, checkTimeout, checkWait, eventId, time } from '../base/call-check.ts';
import type { EnqueueOptions, KeptWaitFor, PersistedEnvelope } from '../instance/agent-ref.ts';
import type { Call } from './messages.ts';

/** What a reference needs of its node. */
export interface NodeRefOptions {
  readonly address: string;
  readonly agent: string;
  /** The number of the node that has the instance; undefined: none is known. */
  readonly node: () => number | undefined;
  /** Asks the node that has the instance. */
  readonly call: (
    call: Call,
    wait: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ) => Promise<unknown>;
  /** Keeps an event in the store; resolves when that is committed. */
  readonly keep: (address: string, event: unknown, at?: number) => Promise<void>;
  /** An event that nobody waits for was not kept. */
  readonly unsent: (error: unknown) => void;
}

/** Deadlines of calls, as at home. */
const ASK_MS = 5000;
const DELIVER_MS = 30_000;
const KEEP_MS = 30_000;

/**
 * A durable instance that runs on another node. Its calls promise what those of an `AgentRef` do; besides they reject with
 * `NODE_UNREACHABLE`. What is sent or enqueued is in the store when it is committed, whether its node is there or not.
 */
export class NodeRef {
  readonly address: string;
  readonly agent: string;
  readonly #options: NodeRefOptions;

  constructor(options: NodeRefOptions) {
    this.#options = options;
    this.address = options.address;
    this.agent = options.agent;
  }

  /** The number of the node that has the instance; undefined: none is known. */
  get node(): number | undefined {
    return this.#options.node();
  }

  /** Sends an event: what is refused, or could not be kept, is a dead letter. */
  send(event: unknown): void {
    const { keep, unsent } = this.#options;
    keep(this.address, event).catch(unsent);
  }

  async deliver(event: unknown, options?: KeptWaitFor): Promise<void> {
    const { id, ...wait } = checkWait('ref.deliver()', options, DELIVER_MS, true);
    await this.#options.call({ kind: 'deliver', address: this.address, value: event, id }, wait);
  }

  async enqueue(event: unknown, options?: EnqueueOptions): Promise<void> {
    const rules = { at: time, id: eventId };
    const { at, id } = checkCall<EnqueueOptions>('ref.enqueue()', {}, options, rules);
    const { call, keep } = this.#options;
    const dueAt = at === undefined ? undefined : Number(at);
    if (id === undefined) return keep(this.address, event, dueAt);
    // Whether the id was there before, the node of the instance knows.
    const enqueued: Call = { kind: 'enqueue', address: this.address, value: event, id, at: dueAt };
    await call(enqueued, { timeoutMs: KEEP_MS });
  }

  async ask(event: unknown, options?: KeptWaitFor): Promise<unknown> {
    const { id, ...wait } = checkWait('ref.ask()', options, ASK_MS, true);
    return this.#options.call({ kind: 'ask', address: this.address, value: event, id }, wait);
  }

  async can(event: unknown, options?: { readonly timeoutMs?: number }): Promise<boolean> {
    const timeoutMs = checkTimeout('ref.can()', options) ?? ASK_MS;
    return (
      (await this.#options.call({ kind: 'can', address: this.address, value: event }, { timeoutMs })) === true
    );
  }

  async persist(options?: { readonly timeoutMs?: number }): Promise<PersistedEnvelope> {
    const timeoutMs = checkTimeout('ref.persist()', options) ?? ASK_MS;
    return (await this.#options.call(
      { kind: 'persist', address: this.address },
      { timeoutMs },
    )) as PersistedEnvelope;
  }

  async resume(): Promise<void> {
    await this.#options.call({ kind: 'resume', address: this.address }, { timeoutMs: DELIVER_MS });
  }

  async stop(): Promise<void> {
    await this.#options.call({ kind: 'stop', address: this.address }, { timeoutMs: DELIVER_MS });
  }
}
