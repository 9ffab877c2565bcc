import { LARGEST_CHUNK } from '../mailbox/stream-window.ts';
import { MAX_DEPTH } from '../mailbox/terms.ts';
import { isOrigin, type Origin } from '../mailbox/trace.ts';
import { decodeEvent, type Encoded, encodeEvent } from '../wire/encoded-state.ts';

/** The version of what nodes say to each other. */
export const PROTOCOL = 1;

/** The most calls of one node that wait for another: above that they are refused, as by a full mailbox. */
export const MOST_CALLS = 10_000;

/** The first message in each direction of a link. */
export interface Hello {
  readonly holdfast: number;
  /** The number of the node. */
  readonly node: number;
  /** The store that both have open. */
  readonly store: string;
}

/** What is asked of an instance, or of its node. */
export const CALLS = [
  'spawn',
  'getOrSpawn',
  'ask',
  'askStream',
  'deliver',
  'enqueue',
  'can',
  'snapshot',
  'persist',
  'watch',
  'mirror',
  'resume',
  'stop',
  'find',
  // What the node says of itself, whatever the address.
  'figures',
  // What was asked before has its place.
  'placed',
] as const;
export type CallKind = (typeof CALLS)[number];

/** What a caller asks for. */
export interface Call {
  readonly kind: CallKind;
  readonly address: string;
  /** The event, or the input of a spawn. */
  readonly value?: unknown;
  /** The id of the event. */
  readonly id?: string | undefined;
  /** Who gave the id, such as a token of a gateway. Default: the program of the node. */
  readonly by?: string | undefined;
  /** The time before which the event is not handled. */
  readonly at?: number | undefined;
  /** Where the event comes from, which its instance is told. */
  readonly origin?: Origin | undefined;
  /** How many asks led to it. */
  readonly depth?: number | undefined;
}

/** A value as it crosses: JSON text, or bytes of `node:v8` in base64. */
export type Packed = string | { readonly bytes: string };

/** A call as it crosses. */
export interface CallMessage extends Omit<Call, 'value'> {
  /** Its number on the link. */
  readonly q: number;
  /** Milliseconds that are left of its time; absent: there is no end. */
  readonly ms?: number | undefined;
  readonly value?: Packed | undefined;
}

/** What a node says to the one that called. */
export type AnswerMessage = { readonly a: number } & (
  | {
      readonly value?: Packed | undefined;
      /** Of an ask that is read as a stream: it was asked before, and nothing of it is read. */
      readonly again?: true | undefined;
    }
  | { readonly error: Packed }
);

/** What a node says of a call before its answer. */
export interface PartMessage {
  readonly part: number;
  readonly value: Packed;
}

/** So many more parts of a call were taken, by whoever asked for them. */
export interface TakenMessage {
  readonly more: number;
  readonly taken: number;
}

/** What is wanted of a call has changed. */
export interface WantMessage {
  readonly want: number;
  readonly value: Packed;
}

/** Nobody waits for the call any more. */
export interface CancelMessage {
  readonly cancel: number;
}

/** There may be rows of the address that other nodes have written. */
export interface NudgeMessage {
  readonly nudge: string;
}

/** Asks whether the other side is there, which sends it back. */
export interface PingMessage {
  readonly ping: number;
}

/**
 * `check`: looks at what is to cross before it does, and throws to keep it here.
 *
 * @throws {HoldfastError} `MESSAGE_UNCLONABLE`
 */
export function pack(value: unknown, check?: (encoded: Encoded) => void): Packed {
  const encoded: Encoded = encodeEvent(value);
  check?.(encoded);
  return typeof encoded === 'string' ? encoded : { bytes: Buffer.from(encoded).toString('base64') };
}

export function unpack(packed: Packed): unknown {
  return decodeEvent(typeof packed === 'string' ? packed : Buffer.from(packed.bytes, 'base64'));
}

/** The bytes of a part as both sides count them against the window of its reader. */
export function bytesOf(packed: Packed): number {
  return Math.min(typeof packed === 'string' ? packed.length : packed.bytes.length, LARGEST_CHUNK);
}

export function isHello(message: unknown): message is Hello {
  return (
    has(message, 'holdfast', 'number') && has(message, 'node', 'number') && has(message, 'store', 'string')
  );
}

export function isCall(message: unknown): message is CallMessage {
  return (
    has(message, 'q', 'number') &&
    Number.isSafeInteger(message.q) &&
    has(message, 'address', 'string') &&
    has(message, 'kind', 'string') &&
    CALLS.includes(message.kind as CallKind) &&
    may(message, 'id', 'string') &&
    may(message, 'by', 'string') &&
    may(message, 'at', 'number') &&
    may(message, 'ms', 'number') &&
    (!('origin' in message) || isOrigin(message.origin)) &&
    (!('depth' in message) || isDepth(message.depth)) &&
    (!('value' in message) || isPacked(message.value))
  );
}

export function isAnswer(message: unknown): message is AnswerMessage {
  if (!has(message, 'a', 'number')) return false;
  return 'error' in message ? isPacked(message.error) : !('value' in message) || isPacked(message.value);
}

export function isPart(message: unknown): message is PartMessage {
  return has(message, 'part', 'number') && isPacked((message as Partial<PartMessage>).value);
}

export function isTaken(message: unknown): message is TakenMessage {
  return has(message, 'more', 'number') && has(message, 'taken', 'number') && message.taken > 0;
}

export function isWant(message: unknown): message is WantMessage {
  return has(message, 'want', 'number') && isPacked((message as Partial<WantMessage>).value);
}

export function isCancel(message: unknown): message is CancelMessage {
  return has(message, 'cancel', 'number');
}

export function isNudge(message: unknown): message is NudgeMessage {
  return has(message, 'nudge', 'string');
}

export function isPing(message: unknown): message is PingMessage {
  return has(message, 'ping', 'number');
}

function isDepth(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_DEPTH;
}

function isPacked(value: unknown): value is Packed {
  return typeof value === 'string' || has(value, 'bytes', 'string');
}

interface Types {
  readonly number: number;
  readonly string: string;
}

function has<K extends string, T extends keyof Types>(
  message: unknown,
  key: K,
  type: T,
): message is Record<K, Types[T]> {
  return (
    typeof message === 'object' &&
    message !== null &&
    Object.hasOwn(message, key) &&
    typeof (message as Record<string, unknown>)[key] === type
  );
}

function may(message: object, key: string, type: keyof Types): boolean {
  return !Object.hasOwn(message, key) || has(message, key, type);
}
