import { MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import { HoldfastError } from '../base/errors.ts';
import { decodeError, encodeError, type WireError } from './errors.ts';
import { leaving } from './leaving.ts';

/** The part of a `MessagePort` that a link needs. */
export interface LinkPort {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  on(event: 'message' | 'messageerror', listener: (value: unknown) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  close(): void;
  unref(): void;
  ref(): void;
}

/** Methods that one side offers to the other; a name not listed here cannot be called. */
export type LinkApi = Record<string, (...args: never[]) => unknown>;

export interface LinkOptions {
  /** The methods that the other side may call. Own functions only; nothing is reachable through them. */
  readonly expose?: LinkApi;
  /**
   * The methods of `expose` that carry mailboxes: they are called straight from the short form and answered in it,
   * without comlink's promises in between. All others go through `Comlink.expose`.
   */
  readonly mailbox?: readonly string[];
  /** The methods of `expose` that may be called without an answer, see {@link Link.tell}; only so, unless they carry mailboxes. */
  readonly told?: readonly string[];
  /** Called for every frame that was refused. It never ends the thread, because a refused frame has done nothing. */
  readonly onViolation?: (what: string) => void;
  /**
   * A frame of the other side cannot be deserialized, and is lost with everything in it. Called after `onViolation`.
   */
  readonly onLost?: () => void;
  /** Mends the result of a call that could not be sent, so that one bad value does not take the others with it. */
  readonly repair?: (value: unknown, cause: unknown) => unknown;
  /**
   * Methods, of either side, whose arguments or results hold values of several owners, with how many lists, one in
   * the other, stand around those values. Default: each argument, and the result, is one value. A `measured` call was
   * checked when it was queued.
   */
  readonly lists?: Readonly<Record<string, { readonly call: number | 'measured'; readonly answer?: number }>>;
  /** The transferables that move with the result of a call, if there are any. */
  readonly transferablesOf?: (result: unknown) => readonly unknown[] | undefined;
  /**
   * The other side closed the port, or its thread ended. The owner may then close the link with a better reason.
   * Default: pending and later calls reject with a plain error.
   */
  readonly onClose?: () => void;
}

/** Both directions of one `MessagePort`, in comlink's frames. */
export interface Link {
  /**
   * Calls `method` on the other side. Throws at once when the arguments cannot be cloned (a `DataCloneError`) or are
   * nested too deep (`MESSAGE_UNCLONABLE`). Rejects with what the other side threw, or with the reason that the link
   * was closed with.
   */
  call(method: string, ...args: readonly unknown[]): Promise<unknown>;
  /** Calls like {@link call}, and moves what `transfer` holds with the message. When it throws, nothing has moved. */
  callWith(transfer: readonly unknown[], method: string, ...args: readonly unknown[]): Promise<unknown>;
  /**
   * Calls `method` without an answer, and moves what `transfer` holds. Unless {@link LinkOptions.lists} names the method,
   * the arguments are the sender's own memory and hold no values of others: they are sent as they are. Throws at once when
   * they cannot be cloned; does nothing when the link is closed.
   */
  tell(transfer: readonly unknown[], method: string, ...args: readonly unknown[]): void;
  /**
   * Calls like {@link callWith}, and settles `waiter` within the message that brings the answer, instead of a promise.
   * With a closed link it rejects in a microtask.
   */
  callThen(transfer: readonly unknown[], waiter: Waiter, method: string, ...args: readonly unknown[]): void;
  /** Reads the messages that the other side sent before it ended and that were not read yet. */
  drain(): void;
  /** Rejects every pending call with `reason` and closes the port. */
  close(reason: Error): void;
  /** The number of calls without an answer yet. */
  readonly pending: number;
}

/** Calls of this side have numbers; those of other speakers of comlink have strings. */
type CallId = number | string;

/**
 * A call of this side, `id, method, ...args`, or the answer to one, `-id, result`: comlink's `APPLY` and `RAW` frames
 * without their names. Every other outcome of a call uses comlink's own frames. With the id 0 nobody waits for an answer.
 */
type ShortFrame = readonly [id: number, ...rest: unknown[]];

interface Frame {
  readonly id: CallId;
  readonly type: string;
  readonly name?: unknown;
  readonly value?: unknown;
  readonly path?: unknown;
  readonly argumentList?: unknown;
}

const NOTHING: readonly unknown[] = [];

/** More than any method takes. */
const MAX_ARGUMENTS = 16;
/** comlink's own call types. A violation names these and never repeats a peer's own words. */
const callTypes = new Set(['GET', 'SET', 'APPLY', 'CONSTRUCT', 'ENDPOINT', 'RELEASE']);

type Outcome = readonly [ok: 1, value: unknown] | readonly [ok: 0, error: WireError];

/** The one who hears of the outcome of a call. */
export interface Waiter {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/**
 * Opens a guarded comlink endpoint over a port, for both directions at once, so that everything that crosses a thread
 * keeps one order.
 *
 * The exposing side is an unmodified `Comlink.expose` behind a guard: it sees only well-formed `APPLY` frames whose
 * path is one allowed name and whose arguments are plain values. Unguarded, a peer walks `constructor.constructor` to
 * `Function`, sets `__proto__`, or ends the process with a malformed frame.
 *
 * The calling side speaks the same frames with counted ids, in a short form: `Comlink.wrap` spends five of its seven
 * microseconds a call on a random id and leaves calls to a dead thread pending for ever, and cloning the frame around
 * a small message takes longer than cloning the message.
 */
export function openLink(port: LinkPort, options: LinkOptions = {}): Link {
  const waiters = new Map<number, Waiter>();
  const violated = options.onViolation ?? (() => {});
  const exposed = options.expose === undefined ? undefined : exposeGuarded(port, options.expose, options);
  let closed: Error | undefined;
  let calls = 0;

  const close = (reason: Error): void => {
    if (closed !== undefined) return;
    closed = reason;
    const lost = [...waiters.values()];
    waiters.clear();
    for (const waiter of lost) waiter.reject(reason);
    port.close();
  };

  const receive = (message: unknown): void => {
    if (closed !== undefined) return;
    if (Array.isArray(message)) return short(message as unknown as ShortFrame);
    if (!isFrame(message)) return violated('a message that is not a comlink frame');
    if (message.type !== 'RAW' && message.type !== 'HANDLER') {
      if (exposed === undefined) return violated(`${callOf(message)} to a side that offers none`);
      return exposed.receive(message);
    }
    const waiter = waiters.get(message.id as number);
    if (waiter === undefined) return violated('an answer to no call');
    waiters.delete(message.id as number);
    if (!settle(waiter, message)) violated('a malformed answer');
  };
  port.on('message', receive);
  const short = (message: ShortFrame): void => {
    const [id] = message;
    if (typeof id !== 'number') return violated('a message that is not a comlink frame');
    if (id === 0) {
      if (exposed?.told(message) !== true) violated('a call without an answer that is not allowed');
      return;
    }
    if (id > 0) {
      if (exposed === undefined) return violated('a call (APPLY) to a side that offers none');
      // Checked before it is spread: the list may have four thousand million holes.
      if (message.length > 2 + MAX_ARGUMENTS) return violated('a call (APPLY) with too many arguments');
      if (!exposed.straight(message)) exposed.receive(longCall(message));
      return;
    }
    const waiter = waiters.get(-id);
    if (waiter === undefined) return violated('an answer to no call');
    waiters.delete(-id);
    waiter.resolve(message[1]);
  };
  const lost = (): void => {
    if (closed !== undefined) return;
    violated('a message that could not be deserialized');
    options.onLost?.();
  };
  port.on('messageerror', lost);
  port.on('close', () => {
    if (options.onClose === undefined) close(new Error('the port was closed by the other side'));
    else if (closed === undefined) options.onClose();
  });

  /** Returns the id of the call. */
  const post = (transfer: readonly unknown[], method: string, args: readonly unknown[]): number => {
    const id = ++calls;
    const lists = options.lists?.[method]?.call ?? 0;
    const message = [id, method, ...args];
    port.postMessage(
      lists === 'measured' ? message : leaving(message, 1 + lists, 'MESSAGE_UNCLONABLE', transfer),
      transfer,
    );
    return id;
  };

  const callWith: Link['callWith'] = (transfer, method, ...args) => {
    if (closed !== undefined) return Promise.reject(closed);
    const id = post(transfer, method, args);
    return new Promise((resolve, reject) => {
      waiters.set(id, { resolve, reject });
    });
  };

  return {
    call: (method, ...args) => callWith(NOTHING, method, ...args),
    callWith,
    callThen(transfer, waiter, method, ...args) {
      if (closed === undefined) waiters.set(post(transfer, method, args), waiter);
      else queueMicrotask(() => waiter.reject(closed));
    },
    tell(transfer, method, ...args) {
      if (closed !== undefined) return;
      const lists = options.lists?.[method]?.call;
      const message = [0, method, ...args];
      port.postMessage(
        typeof lists === 'number' ? leaving(message, 1 + lists, 'MESSAGE_UNCLONABLE', transfer) : message,
        transfer,
      );
    },
    drain() {
      if (!(port instanceof MessagePort)) return;
      for (;;) {
        let next;
        try {
          next = receiveMessageOnPort(port);
        } catch {
          // This frame is lost; those behind it are not.
          lost();
          continue;
        }
        if (next === undefined) return;
        receive(next.message);
      }
    },
    close,
    get pending() {
      return waiters.size;
    },
  };
}

/** The method that a message of a link calls; `undefined` for an answer. */
export function methodOf(message: unknown): string | undefined {
  if (Array.isArray(message)) return (message[0] as number) >= 0 ? (message[1] as string) : undefined;
  return isFrame(message) && Array.isArray(message.path) ? (message.path[0] as string) : undefined;
}

/** Returns `false` when the frame was no answer; the call is rejected all the same. */
function settle(waiter: Waiter, frame: Frame): boolean {
  const outcome = frame.type === 'RAW' ? frame.value : thrown(frame);
  if (Array.isArray(outcome)) {
    if (outcome[0] === 1) {
      waiter.resolve(outcome[1]);
      return true;
    }
    if (outcome[0] === 0 && typeof outcome[1] === 'object' && outcome[1] !== null) {
      waiter.reject(decodeError(outcome[1] as WireError));
      return true;
    }
  }
  waiter.reject(
    new HoldfastError(
      'THREAD_CRASHED',
      'a thread answered with a frame that is not an answer; see what its agents import',
    ),
  );
  return false;
}

/** Turns a failure of comlink (an unserializable result) or of the guard into an outcome. */
function thrown({ name, value }: Frame): Outcome | undefined {
  if (name !== 'throw' || typeof value !== 'object' || value === null) return undefined;
  const { isError, value: what } = value as { isError?: unknown; value?: unknown };
  if (isError === false) return [0, { raw: what }];
  return typeof what === 'object' && what !== null ? [0, { name: 'Error', ...what }] : undefined;
}

interface Exposed {
  /** Takes a call in comlink's own form. */
  receive(frame: Frame): void;
  /** Takes a call to a mailbox; returns `false` when the frame is none. */
  straight(message: ShortFrame): boolean;
  /** Takes a call that has no answer; returns `false` when it is not allowed, or fails. */
  told(message: ShortFrame): boolean;
}

/** Puts the guard and an outcome envelope around an unmodified `Comlink.expose`. */
function exposeGuarded(port: LinkPort, api: LinkApi, options: LinkOptions): Exposed {
  const target: Record<string, (...args: never[]) => Promise<Outcome> | Outcome> = Object.create(null);
  for (const [name, method] of Object.entries(api)) target[name] = withOutcome(method);
  const allowed = new Set(
    Object.keys(api).filter(
      (name) => options.told?.includes(name) !== true || options.mailbox?.includes(name) === true,
    ),
  );
  const mailbox = new Set(options.mailbox);
  const told = new Set(options.told);
  let receive: ((event: { data: unknown }) => void) | undefined;
  const moving = ({ value }: Frame): readonly unknown[] | undefined =>
    Array.isArray(value) && value[0] === 1 ? options.transferablesOf?.(value[1]) : undefined;

  const postShort = (short: ShortFrame, lists: number, moves: readonly unknown[]): void =>
    port.postMessage(leaving(short, 1 + lists, 'REPLY_UNCLONABLE', moves), moves);
  const post = (frame: Frame, lists: number, transfer: readonly unknown[]): void => {
    const moves = moving(frame) ?? transfer;
    const short = shortAnswer(frame);
    if (short !== undefined) return postShort(short, lists, moves);
    port.postMessage(leaving(frame, 0, 'REPLY_UNCLONABLE', moves), moves);
  };
  const answer = (frame: Frame, transfer: readonly unknown[], lists = 0): void => {
    try {
      post(frame, lists, transfer);
    } catch (error) {
      if (options.repair === undefined || !Array.isArray(frame.value)) throw error;
      post({ ...frame, value: mend(frame.value[1], options.repair, error) }, lists, NOTHING);
    }
  };
  const answerWith = (id: CallId, value: Outcome, lists?: number): void => {
    try {
      answer({ id, type: 'RAW', value }, NOTHING, lists);
    } catch (error) {
      answer({ id, type: 'RAW', value: [0, encodeError(error)] }, NOTHING);
    }
  };

  /** Answers a call to a mailbox, without a frame of comlink in between where that went well. */
  const answerStraight = (id: number, outcome: Outcome, lists = 0): void => {
    if (outcome[0] === 1) {
      try {
        return postShort([-id, outcome[1]], lists, options.transferablesOf?.(outcome[1]) ?? NOTHING);
      } catch {
        // What cannot be cloned is mended below, or becomes an error.
      }
    }
    answerWith(id, outcome, lists);
  };

  Comlink.expose(target, {
    postMessage: (frame: Frame, transfer: readonly unknown[]) => answer(frame, transfer),
    addEventListener(_type: string, listener: unknown) {
      receive = listener as (event: { data: unknown }) => void;
    },
    removeEventListener() {},
  } as unknown as Comlink.Endpoint);

  return {
    receive(frame) {
      if (isAllowed(frame, allowed)) return receive?.({ data: frame });
      options.onViolation?.(`${callOf(frame)} that is not allowed`);
      const error: WireError = { name: 'Error', message: 'this call is not allowed' };
      port.postMessage({
        id: frame.id,
        type: 'HANDLER',
        name: 'throw',
        value: { isError: true, value: error },
      });
    },
    straight(message) {
      const [id, name] = message;
      if (typeof name !== 'string' || !mailbox.has(name)) return false;
      const outcome = called(target[name] as AnyMethod, message) as Promise<Outcome> | Outcome;
      const lists = options.lists?.[name]?.answer;
      if (outcome instanceof Promise) void outcome.then((value) => answerStraight(id, value, lists));
      else answerStraight(id, outcome, lists);
      return true;
    },
    told(message) {
      const [, name] = message;
      if (typeof name !== 'string' || !told.has(name) || message.length > 2 + MAX_ARGUMENTS) return false;
      const outcome = called(target[name] as AnyMethod, message) as Outcome;
      return outcome[0] === 1;
    },
  };
}

type AnyMethod = (...args: readonly unknown[]) => unknown;

/** Calls with the arguments of a message; a list of them is not made for the few that most calls have. */
function called(method: AnyMethod, message: ShortFrame): unknown {
  if (message.length === 3) return method(message[2]);
  if (message.length === 4) return method(message[2], message[3]);
  return method(...message.slice(2));
}

function longCall([id, method, ...args]: ShortFrame): Frame {
  return { id, type: 'APPLY', path: [method], argumentList: args.map((value) => ({ type: 'RAW', value })) };
}

/**
 * The short form of an answer to a numbered call that went well; every other answer keeps comlink's form.
 */
function shortAnswer({ id, type, value }: Frame): ShortFrame | undefined {
  if (typeof id !== 'number' || type !== 'RAW' || !Array.isArray(value) || value[0] !== 1) return undefined;
  return [-id, value[1]];
}

function mend(value: unknown, repair: (value: unknown, cause: unknown) => unknown, cause: unknown): Outcome {
  try {
    return [1, repair(value, cause)];
  } catch (error) {
    return [0, encodeError(error)];
  }
}

/** Keeps everything that a method throws, where comlink keeps only name, message and stack. */
function withOutcome(method: (...args: never[]) => unknown) {
  return (...args: never[]): Promise<Outcome> | Outcome => {
    try {
      const result = method(...args);
      if (!(result instanceof Promise)) return [1, result];
      return result.then(
        (value): Outcome => [1, value],
        (error): Outcome => [0, encodeError(error)],
      );
    } catch (error) {
      return [0, encodeError(error)];
    }
  };
}

function callOf({ type }: Pick<Frame, 'type'>): string {
  return callTypes.has(type) ? `a call (${type})` : 'a call of an unknown type';
}

function isFrame(message: unknown): message is Frame {
  if (typeof message !== 'object' || message === null) return false;
  const { id, type } = message as Partial<Frame>;
  return (typeof id === 'string' || typeof id === 'number') && typeof type === 'string';
}

function isAllowed(frame: Frame, allowed: ReadonlySet<string>): boolean {
  const { type, path, argumentList } = frame;
  if (type !== 'APPLY' || !Array.isArray(path) || path.length !== 1) return false;
  if (typeof path[0] !== 'string' || !allowed.has(path[0]) || !Array.isArray(argumentList)) return false;
  // Checked before `every`, which would walk four thousand million holes.
  if (argumentList.length > MAX_ARGUMENTS) return false;
  return argumentList.every(
    (argument: unknown) =>
      typeof argument === 'object' && argument !== null && (argument as Frame).type === 'RAW',
  );
}
