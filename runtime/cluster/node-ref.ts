import type { AnyActorRef, Subscription } from 'xstate';
import { TwinSnapshot, UnknownSnapshot } from '../../actors/twin.ts';
import { checkCall, checkTimeout, checkWait, eventId, listener, time } from '../base/call-check.ts';
import type { IncarnationEnd, StopReason } from '../base/endings.ts';
import { HoldfastError } from '../base/errors.ts';
import { callUser } from '../base/user-call.ts';
import type { EnqueueOptions, KeptWaitFor, PersistedEnvelope } from '../instance/agent-ref.ts';
import { AskReader, type AskStream } from '../instance/ask-stream.ts';
import { stateFrom } from '../instance/mirrored-state.ts';
import type { WatchListener } from '../instance/watchers.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import { isWireSnapshot } from '../wire/shapes.ts';
import type { Call } from './messages.ts';
import type { LinkWait, PartReader } from './node-link.ts';
import type { NodeMirror } from './node-mirror.ts';

/** What a reference needs of its node. */
export interface NodeRefOptions {
  readonly address: string;
  readonly agent: string;
  /** The number of the node that has the instance; undefined: none is known. */
  readonly node: () => number | undefined;
  /** Asks the node that has the instance. */
  readonly call: (call: Call, wait: LinkWait) => Promise<unknown>;
  /** Those who wait for the answers. */
  readonly waiting: Pick<Waiting, 'touch' | 'hold' | 'reject'>;
  /** Keeps an event in the store; resolves when that is committed. */
  readonly keep: (address: string, event: unknown, at?: number) => Promise<void>;
  /** What is observed of the instance: for all its references the same, or `last` where nobody observes it. */
  readonly mirror: (last: NodeMirror | undefined) => NodeMirror;
  /** An event that nobody waits for was not kept. */
  readonly unsent: (error: unknown) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** Deadlines of calls, as at home. */
const ASK_MS = 5000;
const DELIVER_MS = 30_000;
const KEEP_MS = 30_000;
const STREAM_MS = 60_000;
const NOTHING = new UnknownSnapshot({});

/**
 * A durable instance that runs on another node. Its calls promise what those of an `AgentRef` do; besides they reject with
 * `NODE_UNREACHABLE`. What is sent or enqueued is in the store when it is committed, whether its node is there or not.
 */
export class NodeRef {
  readonly address: string;
  readonly agent: string;
  readonly #options: NodeRefOptions;
  /** What was last observed by this reference. */
  #mirror: NodeMirror | undefined;

  constructor(options: NodeRefOptions) {
    this.#options = options;
    this.address = options.address;
    this.agent = options.agent;
  }

  /** The number of the node that has the instance; undefined: none is known. */
  get node(): number | undefined {
    return this.#options.node();
  }

  /**
   * As at home, over the link: the latest state, and an end, or an error of the instance. The instance is followed from node to
   * node; when none has been reached for a minute, `error` gets `NODE_UNREACHABLE`, and `AGENT_STOPPED` when there is no such instance.
   */
  subscribe(...args: Parameters<AnyActorRef['subscribe']>): Subscription {
    return this.#observed.subscribe(...args);
  }

  /** As at home, over the link. Events that come faster than they are told wait, up to 1000 of them; what is left out is a dead letter. */
  on(...args: Parameters<AnyActorRef['on']>): Subscription {
    return this.#observed.on(...args);
  }

  select(...args: Parameters<AnyActorRef['select']>): ReturnType<AnyActorRef['select']> {
    return this.#observed.select(...args);
  }

  /** What came last to those who observe by this reference; before that nothing is known. */
  getSnapshot(): TwinSnapshot {
    return (this.#mirror?.actor.getSnapshot() as TwinSnapshot | undefined) ?? NOTHING;
  }

  get #observed(): AnyActorRef {
    this.#mirror = this.#options.mirror(this.#mirror);
    return this.#mirror.actor;
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

  askStream(event: unknown, options?: KeptWaitFor): AskStream {
    const { id, ...wait } = checkWait('ref.askStream()', options, STREAM_MS, true);
    const { address } = this;
    const { call, waiting } = this.#options;
    /** Its reader has stopped before it was asked. */
    let unasked: unknown;
    const reader = new AskReader({
      address,
      signal: wait.signal,
      waiting: {
        touch: (tag) => waiting.touch(tag),
        hold: (tag) => waiting.hold(tag),
        reject: (tag, error) => (tag === 0 ? void (unasked = error) : waiting.reject(tag, error)),
      },
    });
    const stream: PartReader = {
      get begun() {
        return reader.begun;
      },
      opened(tag) {
        reader.opened(tag);
        if (unasked !== undefined) queueMicrotask(() => waiting.reject(tag, unasked));
      },
      seated: (seat) => reader.seated(seat),
      take: (seat, chunks, told, bytes) => reader.take(seat, chunks, told, bytes),
      again: () => reader.again(),
    };
    const result = call({ kind: 'askStream', address, value: event, id }, { ...wait, stream });
    reader.follow(result);
    return { result, [Symbol.asyncIterator]: () => reader.iterator() };
  }

  async snapshot(options?: { readonly timeoutMs?: number }): Promise<TwinSnapshot> {
    const timeoutMs = checkTimeout('ref.snapshot()', options) ?? ASK_MS;
    const wire = await this.#options.call({ kind: 'snapshot', address: this.address }, { timeoutMs });
    if (!isWireSnapshot(wire)) throw unreadable(this.address, this.node);
    return new TwinSnapshot({ ...stateFrom(wire), status: wire.status });
  }

  /**
   * As at home. When its node cannot be reached, the listener hears that the reason is `unreachable`: nobody knows whether the
   * incarnation has ended.
   */
  watch(listening: WatchListener): Subscription {
    checkCall('ref.watch()', { listener: [listening, listener] });
    const { call, waiting, warn } = this.#options;
    const { address } = this;
    const controller = new AbortController();
    let incarnation = 0;
    let tag = 0;
    const stream: PartReader = {
      begun: false,
      opened: (opened) => void (tag = opened),
      seated() {},
      take(_seat, [watched]) {
        incarnation = Number(watched);
        // It may take as long as the incarnation lives.
        waiting.hold(tag);
        return undefined;
      },
    };
    const { signal } = controller;
    const ended = (end: IncarnationEnd): void => {
      if (signal.aborted) return;
      callUser(
        () => listening(end) as unknown,
        (error) => warn({ address, error }, 'a listener of watch() threw'),
      );
    };
    call({ kind: 'watch', address }, { timeoutMs: DELIVER_MS, signal, stream }).then(
      (end) => ended(end as IncarnationEnd),
      (error: unknown) => ended({ address, incarnation, reason: reasonOf(error) }),
    );
    return { unsubscribe: () => controller.abort() };
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

/** Why nothing more is known of an incarnation on another node. */
function reasonOf(error: unknown): StopReason {
  const { code } = error as Partial<HoldfastError>;
  if (code === 'AGENT_STOPPED') return 'stopped';
  return code === 'RUNTIME_STOPPED' ? 'shutdown' : 'unreachable';
}

function unreadable(address: string, node: number | undefined): HoldfastError {
  return new HoldfastError(
    'NODE_UNREACHABLE',
    `${address} is on node ${node}, which gave what is no snapshot; have all nodes run the same version`,
  );
}
