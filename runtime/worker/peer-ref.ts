import type { ActorRef, AnyEventObject, EventObject, Snapshot, Subscription } from 'xstate';
import { checkCall, checkWait, flag, listener, name } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Answer, EventOfType } from '../base/replies.ts';
import type { PeerEnd } from './peer-end.ts';
import { threadState, type HostBridge, type OpenAsk, type PeerBridge } from './thread-state.ts';

/** The time to wait for another instance, and a signal to give up earlier. */
export interface PeerWaitFor {
  /** Milliseconds; `Infinity` for no limit. While an ask is answered, never longer than that ask has left. */
  readonly timeoutMs?: number;
  /** A signal whose abort rejects the promise with its reason; the event may still be handled. */
  readonly signal?: AbortSignal;
}

/** Options of a reference to another instance. */
export interface PeerOptions {
  /**
   * Whether to start the instance, without an input, when something is sent to it and it does not exist; concurrent
   * senders share one start. `watch` starts no instance. `threads.<threadId>.activatedInstances` limits how many
   * instances the agents of a pool may have started so. Default: false.
   */
  readonly activate?: boolean;
}

/** A reference to another instance, on whichever thread it runs. It has no snapshot, and nothing to subscribe to. */
export interface PeerRef<TEvent extends EventObject = AnyEventObject, TReplies = unknown> extends ActorRef<
  Snapshot<undefined>,
  TEvent
> {
  /** The address, `agent/id`. */
  readonly address: string;
  /**
   * Sends an event, and resolves with the reply. `timeoutMs` defaults to 5 s. Rejects as the host's `ref.ask` does; the
   * type of the reply follows the same rules. With `activate` it also rejects with the error of the start:
   * `AGENT_UNKNOWN`, `POOL_EXHAUSTED`, `AGENT_QUARANTINED`, `ACTIVATION_LIMIT` and what `runtime.spawn` rejects with.
   */
  ask<TReply = never, TType extends TEvent['type'] = TEvent['type']>(
    event: EventOfType<TEvent, TType>,
    options?: PeerWaitFor,
  ): Promise<Answer<TReply, TReplies, TType>>;
  /** Sends an event, and resolves when it has been handled. `timeoutMs` defaults to 30 s. */
  deliver(event: TEvent, options?: PeerWaitFor): Promise<void>;
  /** Calls the listener once, when the current incarnation ends; at once when none runs. */
  watch(listener: (end: PeerEnd) => void): Subscription;
}

const ASK_MS = 5000;
const DELIVER_MS = 30_000;
const active = Object.freeze({ status: 'active', output: undefined, error: undefined });
const nothing: Subscription = Object.freeze({ unsubscribe() {} });

/**
 * Returns a reference to another instance by its address, on whichever thread it runs, for `sendTo` or for direct use.
 * Events from one instance to another arrive in order, once, or become dead letters. Create it where you need it, or
 * keep it in the context: a restored state has it again. Outside a Holdfast thread sends have no effect, so that a
 * machine can be tested alone, and `ask` rejects.
 *
 * @example
 * ```ts
 * entry: sendTo(() => agentRef('risk-agent/desk'), ({ context }) => ({ type: 'exposure', value: context.exposure })),
 * ```
 */
export function agentRef<TEvent extends EventObject = AnyEventObject, TReplies = unknown>(
  address: string,
  options?: PeerOptions,
): PeerRef<TEvent, TReplies> {
  // References are often made anew for each event, and most are of this plain form.
  const isPlain = typeof address === 'string' && address !== '' && options === undefined;
  const { activate } = isPlain
    ? nothingMore
    : checkCall<PeerOptions>('agentRef()', { address: [address, name] }, options, rules);
  return new Reference(address, activate === true) as unknown as PeerRef<TEvent, TReplies>;
}

const rules = { activate: flag };
const nothingMore: PeerOptions = {};

/**
 * Methods are on the prototype, so that a snapshot of a context with a reference holds the address and nothing that
 * cannot be cloned.
 */
class Reference {
  readonly id: string;
  readonly sessionId: string;
  readonly address: string;
  readonly src = 'holdfast.agent';
  /** An own field only where it is true, so that a restored state has it again. */
  declare readonly activate?: true;
  readonly #made = threadState().current;

  constructor(address: string, activate: boolean) {
    if (activate) this.activate = true;
    this.id = address;
    this.sessionId = address;
    this.address = address;
  }

  send(event: EventObject): void {
    const { peers, from } = bridge(this.#made);
    if (this.activate === true) peers?.send(from, this.address, event, true);
    else peers?.send(from, this.address, event);
  }

  /** Called by `sendTo`. */
  _send(event: EventObject): void {
    this.send(event);
  }

  ask(event: EventObject, options?: PeerWaitFor): Promise<unknown> {
    return this.#wait('ask', event, ASK_MS, options);
  }

  deliver(event: EventObject, options?: PeerWaitFor): Promise<unknown> {
    return this.#wait('deliver', event, DELIVER_MS, options);
  }

  watch(listening: (end: PeerEnd) => void): Subscription {
    checkCall('agentRef().watch()', { listener: [listening, listener] });
    const { peers, from } = bridge(this.#made);
    return { unsubscribe: peers?.watch(from, this.address, listening) ?? (() => {}) };
  }

  getSnapshot(): unknown {
    return active;
  }

  getPersistedSnapshot(): unknown {
    return active;
  }

  start(): this {
    return this;
  }

  stop(): this {
    return this;
  }

  on(): Subscription {
    return nothing;
  }

  subscribe(): Subscription {
    return nothing;
  }

  select(): unknown {
    return { get: () => undefined, subscribe: () => nothing };
  }

  toJSON(): unknown {
    return { address: this.address };
  }

  [Symbol.observable](): this {
    return this;
  }

  #wait(
    kind: 'ask' | 'deliver',
    event: EventObject,
    usual: number,
    options: PeerWaitFor | undefined,
  ): Promise<unknown> {
    try {
      const { timeoutMs, signal } = checkWait(`agentRef().${kind}()`, options, usual);
      const { peers, from, within } = bridge(this.#made);
      if (peers === undefined) throw outside(this.address);
      const { activate } = this;
      return peers[kind](from, this.address, event, {
        timeoutMs,
        signal,
        within,
        ...(activate && { activate }),
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/**
 * Returns the address of the instance that sent the event of this turn; `undefined` for the host, and outside a turn.
 */
export function sender(): string | undefined {
  return threadState().sender;
}

interface Reach {
  readonly peers: PeerBridge | undefined;
  readonly from: HostBridge['self'] | undefined;
  readonly within: OpenAsk | undefined;
}

/**
 * Returns the instance that sends: the one whose turn it is; after an `await`, the one that made the reference, unless
 * the running code is known to belong to another instance and either of the two has ended.
 */
function bridge(made: HostBridge | undefined): Reach {
  const state = threadState();
  let own = state.current;
  if (own === undefined) {
    const origin = state.origin?.getStore()?.bridge;
    own = origin !== undefined && (origin.over || made?.over === true) ? origin : made;
  }
  return { peers: own?.peers ?? state.peers, from: own?.self, within: state.ask };
}

function outside(address: string): HoldfastError {
  return new HoldfastError(
    'AGENT_STOPPED',
    `${address} was asked outside a Holdfast thread; provide another actor for it in tests`,
  );
}
