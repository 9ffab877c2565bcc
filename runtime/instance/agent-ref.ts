import type {
  ActorRefFrom,
  AnyActorLogic,
  AnyActorRef,
  AnyEventObject,
  EventFromLogic,
  SnapshotFrom,
  Subscription,
} from 'xstate';
import { TwinSnapshot } from '../../actors/twin.ts';
import { checkCall, checkTimeout, checkWait, eventId, listener, time } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import type { AskStream } from './ask-stream.ts';
import { isEvent, notAnEvent } from './admission.ts';
import type { Instance } from './instance.ts';
import { stateFrom } from './mirrored-state.ts';
import { refusal, silent, tooLate } from '../dead-letters/refusal.ts';
import type { Answer, EventOfType } from '../base/replies.ts';
import type { WatchListener } from './watchers.ts';
import type { WireSnapshot } from '../wire/snapshot.ts';
import type { PersistedState, PersistedTimer } from '../xstate/persisted-timer.ts';
import { stopRoot } from '../xstate/xstate5.ts';

/** The time to wait, and a signal to give up earlier. */
export interface WaitFor {
  /** Milliseconds; `Infinity` for no limit. */
  readonly timeoutMs?: number;
  /** A signal whose abort rejects the promise with its reason; the event may still be handled. */
  readonly signal?: AbortSignal;
}

/** The time to wait, and the id of an event for a durable instance. */
export interface KeptWaitFor extends WaitFor {
  /**
   * An id of the event, unique among those that this program gives the instance, in at most 256 characters. A call with an
   * id that was there before does nothing: it waits for the same outcome, and gets that, for 24 h.
   */
  readonly id?: string;
}

/** The id of an event that outlives the process, and when it is to be handled. */
export interface EnqueueOptions {
  /** An id of the event, as that of an ask: a second call with it does nothing. */
  readonly id?: string;
  /** The time before which it is not handled: a date, or milliseconds since the epoch. Default: at once. */
  readonly at?: Date | number;
}

/** A deep snapshot of an instance as plain data; `spawn` with `snapshot` continues from it. */
export interface PersistedEnvelope {
  readonly v: 1;
  readonly address: string;
  /** The snapshot that XState persisted, children included. */
  readonly snapshot: unknown;
  /** The pending timers; absent in a snapshot made before this field existed. */
  readonly timers?: readonly PersistedTimer[];
  /** The machine's own `version`, if it has one. */
  readonly version?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The members that an agent reference has beyond those of an XState actor reference. */
export interface AgentRefMethods<TLogic extends AnyActorLogic, TReplies = unknown> {
  /** The address, `agent/id`, with the id percent-encoded. */
  readonly address: string;
  readonly agent: string;
  /** The `threadId` of the pool. */
  readonly threadId: string;
  /** Node's id of the worker thread that hosts the instance; -1 while it has none, and for one of another node of a cluster. */
  readonly thread: number;
  /** The number of the node that has the instance; `undefined` for a runtime that is no node of a cluster. */
  readonly node: number | undefined;
  /** The incarnation: 1, or one more than the last in the store; it grows by one with each restart. 0 for an instance of another node of a cluster. */
  readonly incarnation: number;
  /**
   * Sends an event, and resolves when the instance has handled it, also when its turn threw; await it to keep to the
   * pace of the instance. `timeoutMs` defaults to 30 s; with an `id`, a durable instance handles it once, however often it
   * is sent. Rejects with `MAILBOX_FULL`, `MESSAGE_UNCLONABLE`,
   * `MESSAGE_TOO_LARGE`, `EVENT_INVALID`, `AGENT_STOPPED`, `THREAD_CRASHED`, `ASK_TIMEOUT` or `OPTION_INVALID`.
   */
  deliver(event: EventFromLogic<TLogic>, options?: KeptWaitFor): Promise<void>;
  /**
   * Sends an event that outlives the process to a durable instance, and resolves when the store has it, or when it was
   * handled. It has its place from the call on, behind what was sent before: what the mailbox has no room for waits in the
   * store, up to 100,000 events. Rejects as `deliver` does, and with `SECRET_IN_SNAPSHOT` when the event carries the value
   * of a secret, with `STORE_FAILED` when nobody knows after 30 s whether it is kept, and with `OPTION_INVALID` for an
   * instance that is not durable.
   */
  enqueue(event: EventFromLogic<TLogic>, options?: EnqueueOptions): Promise<void>;
  /**
   * Sends an event, and resolves with the reply of the instance (`reply`, `replyTo`). `timeoutMs` defaults to 5 s, as
   * in OTP. With an `id`, a durable instance is asked once, and whoever asks again gets the answer that is kept, of up to
   * 64 KiB. Rejects as `deliver` does, and with `ASK_UNANSWERED` as soon as the turn ends without a reply; with an `id` also
   * with `ID_REUSED` and `ANSWER_NOT_KEPT`. The type of
   * the reply is the one that `agent` declares for the event, or the one that the call names, as in `ask<number>(…)`;
   * it is not checked at run time.
   */
  ask<TReply = never, TType extends EventFromLogic<TLogic>['type'] = EventFromLogic<TLogic>['type']>(
    event: EventOfType<EventFromLogic<TLogic>, TType>,
    options?: KeptWaitFor,
  ): Promise<Answer<TReply, TReplies, TType>>;
  /**
   * Sends an event, and reads what the instance writes to its `replyStream(event)` until it ends that, in order and at the
   * pace of the reader: 64 chunks and 256 KiB may wait for it. To stop iterating, or the abort of `signal`, cancels: the
   * `signal` of the agent's stream aborts. `timeoutMs`, 60 s by default, is the longest silence: to the first chunk, and
   * between two while the reader waits. Of an instance that replies without a stream there is no chunk, and `result` is the
   * reply. Iterating throws, and `result` rejects, after what came, as `ask` does, with what the agent gave to `fail()`, or
   * with `STREAM_INTERRUPTED`: a stream that was cut never looks like one that has ended. With an `id`, a durable instance
   * whose reply is kept, or that is being asked already, is not asked again: `result` is that reply, and iterating throws
   * `ANSWER_NOT_KEPT`, since chunks are not kept. After a cut the event is handled again. Throws `OPTION_INVALID`.
   *
   * @example
   * ```ts
   * const answer = ref.askStream<string>({ type: 'write', prompt });
   * for await (const token of answer) process.stdout.write(token);
   * console.log(await answer.result);
   * ```
   */
  askStream<
    TChunk = unknown,
    TReply = never,
    TType extends EventFromLogic<TLogic>['type'] = EventFromLogic<TLogic>['type'],
  >(
    event: EventOfType<EventFromLogic<TLogic>, TType>,
    options?: KeptWaitFor,
  ): AskStream<TChunk, Answer<TReply, TReplies, TType>>;
  /** Resolves with the current snapshot, after everything sent before has been handled. `timeoutMs` defaults to 5 s. */
  snapshot(options?: { readonly timeoutMs?: number }): Promise<SnapshotFrom<TLogic>>;
  /**
   * Resolves with a deep persisted snapshot, children and timers included. `timeoutMs` defaults to 5 s. Rejects with
   * `REPLY_UNCLONABLE` when the context or a child holds a value that cannot be cloned, and with `SECRET_IN_SNAPSHOT`
   * when the snapshot carries the value of a secret.
   */
  persist(options?: { readonly timeoutMs?: number }): Promise<PersistedEnvelope>;
  /**
   * Resolves with whether the machine would take the event now, guards included. `timeoutMs` defaults to 5 s. Rejects
   * with `MESSAGE_UNCLONABLE`, or with the error that a guard threw.
   */
  can(event: EventFromLogic<TLogic>, options?: { readonly timeoutMs?: number }): Promise<boolean>;
  /**
   * Calls the listener once, with the cause, when the current incarnation ends, also when a restart follows: a monitor
   * as in OTP. While the instance waits for its restart, the next incarnation is watched; after the instance has ended
   * for good or was quarantined, the listener hears at once of the end of the last one. The listener never runs before
   * `watch` has returned.
   */
  watch(listener: WatchListener): Subscription;
  /**
   * Restarts a quarantined instance: its next incarnation gets what waits in the mailbox, and earlier failures no
   * longer count. Resolves when it runs; at once if it runs already. This reference works again; observers were told of
   * the end and must subscribe again. Rejects with `AGENT_STOPPED` when the instance has ended for good, with
   * `AGENT_QUARANTINED` when it fails too often again before it runs, with `RUNTIME_STOPPED`.
   */
  resume(): Promise<void>;
  /** Ends the instance, also a quarantined one; the events in its mailbox become dead letters. Idempotent. */
  stop(): Promise<void>;
}

/** A reference to an instance: an XState actor reference with the members that only an agent in a thread has. */
export type AgentRef<TLogic extends AnyActorLogic = AnyActorLogic, TReplies = unknown> = Omit<
  ActorRefFrom<TLogic>,
  'stop' | keyof AgentRefMethods<TLogic>
> &
  AgentRefMethods<TLogic, TReplies>;

/** Deadline of `ask`, `snapshot`, `persist` and `can`: OTP's default for a call. */
const ASK_MS = 5000;
/** Deadline of `deliver`: it waits for a queue, not for a conversation. */
const DELIVER_MS = 30_000;
/** Deadline of `enqueue`, for a store that is silent: as long as a delivery may take. */
const KEEP_MS = 30_000;
/** Who gives the ids of calls on references. */
const HOST = 'host';
/** The longest silence of `askStream`: a model may think for most of a minute before its first token. */
const STREAM_MS = 60_000;

/** What stands behind a reference: the members that it has beyond those of an actor reference. */
class Reference implements AgentRefMethods<AnyActorLogic> {
  /** The instance that the twin stands for; another one when the twin was stopped and starts again. */
  instance: Instance;
  readonly #twin: AnyActorRef;
  readonly #send: AnyActorRef['send'];
  /** The methods that were read from the reference, each bound, so that they work when they are taken off it. */
  #taken: Partial<Record<Method, unknown>> | undefined;

  constructor(twin: AnyActorRef, instance: Instance) {
    this.#twin = twin;
    this.#send = twin.send;
    this.instance = instance;
  }

  get address(): string {
    return this.instance.address;
  }

  get agent(): string {
    return this.instance.agent.name;
  }

  get threadId(): string {
    return this.instance.agent.threadId;
  }

  get thread(): number {
    return this.instance.thread;
  }

  get node(): number | undefined {
    return this.instance.effects.node;
  }

  get incarnation(): number {
    return this.instance.incarnation;
  }

  /** The method with that name, the same one each time. */
  taken(name: Method): unknown {
    const taken = (this.#taken ??= {});
    return (taken[name] ??= (this[name] as (...args: never[]) => unknown).bind(this));
  }

  /** XState's development build throws for a string; here it becomes a dead letter, as everything does that is not an event. */
  send(event: AnyEventObject): void {
    if (typeof event === 'string') this.instance.inbox.accept(event);
    else this.#send(event);
  }

  async deliver(event: unknown, options?: KeptWaitFor): Promise<void> {
    const { timeoutMs, signal, id } = checkWait('ref.deliver()', options, DELIVER_MS, true);
    const { address, inbox } = this.instance;
    const wait = { timeoutMs, signal, onTimeout: (ms: number) => tooLate(address, 'delivery', ms) };
    if (id === undefined) await inbox.open('delivery', event, wait);
    else await inbox.keep('delivery', event, { id, caller: HOST }, wait);
  }

  async enqueue(event: unknown, options?: EnqueueOptions): Promise<void> {
    const rules = { at: time, id: eventId };
    const { at, id } = checkCall<EnqueueOptions>('ref.enqueue()', {}, options, rules);
    const { address, inbox } = this.instance;
    const given = id === undefined ? undefined : { id, caller: HOST };
    const wait = { timeoutMs: KEEP_MS, onTimeout: (ms: number) => notKept(address, ms) };
    await inbox.keep('enqueue', event, given, wait, at === undefined ? undefined : Number(at));
  }

  ask(event: unknown, options?: KeptWaitFor): Promise<never> {
    try {
      const { timeoutMs, signal, id } = checkWait('ref.ask()', options, ASK_MS, true);
      const { address, inbox } = this.instance;
      const wait = { timeoutMs, signal, onTimeout: (ms: number) => tooLate(address, 'ask', ms) };
      const answer =
        id === undefined
          ? inbox.open('ask', event, wait)
          : inbox.keep('ask', event, { id, caller: HOST }, wait);
      // Only the caller knows the type.
      return answer as Promise<never>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  askStream(event: unknown, options?: KeptWaitFor): AskStream<never, never> {
    const { timeoutMs, signal, id } = checkWait('ref.askStream()', options, STREAM_MS, true);
    const { address, inbox } = this.instance;
    const wait = { timeoutMs, signal, onTimeout: (ms: number) => silent(address, ms) };
    const stream =
      id === undefined
        ? inbox.askStream(event, wait)
        : inbox.keepStream(event, { id, caller: HOST }, wait).stream;
    return stream as AskStream<never, never>;
  }

  async snapshot(options?: { readonly timeoutMs?: number }): Promise<TwinSnapshot> {
    const timeoutMs = checkTimeout('ref.snapshot()', options) ?? ASK_MS;
    const wire = (await this.instance.query('snapshot', timeoutMs)) as WireSnapshot;
    return new TwinSnapshot({ ...stateFrom(wire), status: wire.status });
  }

  async persist(options?: { readonly timeoutMs?: number }): Promise<PersistedEnvelope> {
    const timeoutMs = checkTimeout('ref.persist()', options) ?? ASK_MS;
    const state = (await this.instance.query('persist', timeoutMs)) as PersistedState;
    this.instance.assertWithoutSecrets(state);
    return { v: 1, address: this.address, ...state, at: Date.now() };
  }

  async can(event: unknown, options?: { readonly timeoutMs?: number }): Promise<boolean> {
    const timeoutMs = checkTimeout('ref.can()', options) ?? ASK_MS;
    if (!isEvent(event)) throw refusal(this.address, 'unclonable', notAnEvent());
    return (await this.instance.query('can', timeoutMs, event)) as boolean;
  }

  watch(listening: WatchListener): Subscription {
    checkCall('ref.watch()', { listener: [listening, listener] });
    return this.instance.watchers.watch(listening);
  }

  resume(): Promise<void> {
    return this.instance.resume();
  }

  stop(): Promise<void> {
    // The twin stops as a local actor does: at once, whatever its instance still has to do.
    stopRoot(this.#twin);
    return this.instance.stop();
  }
}

const REFERENCE = Symbol('holdfast.reference');

type Referring = AnyActorRef & { [REFERENCE]?: Reference };

const FACTS = ['address', 'agent', 'threadId', 'thread', 'node', 'incarnation'] as const;
const METHODS = [
  'deliver',
  'enqueue',
  'ask',
  'askStream',
  'snapshot',
  'persist',
  'can',
  'watch',
  'resume',
  'stop',
] as const;
type Method = (typeof METHODS)[number];

/**
 * The members as twins have them: own ones, so that a copy of a reference has them too, and yet the same for all twins. A
 * function for each member of each twin would be a quarter of what an idle instance takes.
 */
const members = Object.fromEntries<PropertyDescriptor & ThisType<Referring>>([
  ...FACTS.map((name): [string, PropertyDescriptor & ThisType<Referring>] => [
    name,
    {
      enumerable: true,
      configurable: true,
      get() {
        return this[REFERENCE]?.[name];
      },
    },
  ]),
  ...METHODS.map((name): [string, PropertyDescriptor & ThisType<Referring>] => [
    name,
    {
      enumerable: true,
      configurable: true,
      get() {
        return this[REFERENCE]?.taken(name);
      },
      set(value: unknown) {
        Object.defineProperty(this, name, { value, enumerable: true, configurable: true, writable: true });
      },
    },
  ]),
]);

/** Adds to a twin the members that an agent reference has beyond an actor reference. */
export function toAgentRef(twin: AnyActorRef, instance: Instance): AgentRef {
  const referring: Referring = twin;
  const known = referring[REFERENCE];
  if (known !== undefined) known.instance = instance;
  else {
    const reference = new Reference(twin, instance);
    Object.defineProperty(twin, REFERENCE, { value: reference });
    referring.send = (event) => reference.send(event);
    Object.defineProperties(twin, members);
  }
  return twin as unknown as AgentRef;
}

function notKept(address: string, ms: number): HoldfastError {
  return new HoldfastError(
    'STORE_FAILED',
    `nobody knows whether an event for ${address} is kept, since the store has not answered for ${ms} ms; check the store, ` +
      'and give the event an id when you send it again',
  );
}
