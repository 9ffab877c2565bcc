import type { ReadableStream, TransformStream, WritableStream } from 'node:stream/web';
import type { MessagePort } from 'node:worker_threads';

/** What can move from thread to thread. */
export type Movable = ArrayBuffer | MessagePort | ReadableStream | WritableStream | TransformStream;

/** What moves with a marked value. */
export interface Mark {
  readonly list: ReadonlySet<unknown>;
  /** It has moved: what is left of the value here cannot be sent again. */
  moved: boolean;
}

interface Marks {
  /** `false` until something is marked: whoever never transfers pays for one look. */
  used: boolean;
  readonly of: WeakMap<object, Mark>;
}

const SLOT = Symbol.for('holdfast.transfer');

/** One per thread, under a global symbol: an agent's own import may be another copy of this module. */
const marks = ((globalThis as { [SLOT]?: Marks })[SLOT] ??= { used: false, of: new WeakMap() });

/** Marks a value, with what is to move with it; `holdfast` and `holdfast/agent` export it behind a check. */
export function transfer<T extends object>(value: T, list: readonly (Movable | ArrayBufferLike)[]): T {
  // What is not an object holds nothing that could move.
  if (typeof value !== 'object' || value === null) return value;
  marks.used = true;
  // Shared memory is where it is; whether it may be sent is not for the sender to say.
  const movable = list.filter((item) => !(item instanceof SharedArrayBuffer) && !isKept(item));
  marks.of.set(value, { list: new Set(movable), moved: false });
  return value;
}

const threads = (globalThis as { process?: typeof process }).process?.getBuiltinModule('node:worker_threads');

/** Node's pool of small buffers is for all of them: of one that is cut from it, a copy goes. */
function isKept(item: unknown): boolean {
  return threads?.isMarkedAsUntransferable(item as object) === true;
}

/** Whether anything was ever marked in this thread. */
export function anyMarked(): boolean {
  return marks.used;
}

export function markOf(value: unknown): Mark | undefined {
  if (!marks.used || typeof value !== 'object' || value === null) return undefined;
  return marks.of.get(value);
}

/** Whether the value was marked, and what was to move with it is gone. */
export function hasMoved(value: unknown): boolean {
  const mark = markOf(value);
  if (mark === undefined) return false;
  if (mark.moved) return true;
  for (const item of mark.list)
    if ((item as Partial<ArrayBuffer> | undefined)?.detached === true) return true;
  return false;
}

/** The value has moved, or what is here is only what was left of it. */
export function setMoved(value: object): void {
  marks.used = true;
  const mark = marks.of.get(value);
  if (mark === undefined) marks.of.set(value, { list: new Set(), moved: true });
  else mark.moved = true;
}

/** A copy takes the place of a value: what was to move with that moves with the copy, and then it has moved for both. */
export function markAlike(copy: object, value: object): void {
  const mark = markOf(value);
  if (mark !== undefined) marks.of.set(copy, mark);
}

/** What moves with these values, to go with the message that they are in; `undefined` when nothing does. */
export function transferablesOf(values: readonly unknown[]): unknown[] | undefined {
  if (!marks.used) return undefined;
  let all: unknown[] | undefined;
  for (const value of values) {
    const mark = markOf(value);
    // Not made unique: what moves with two values can arrive with one of them only, and the port says so.
    if (mark !== undefined) (all ??= []).push(...mark.list);
  }
  return all;
}

/**
 * Moves a marked value out of itself: a copy whose memory and ports were those of the value, marked as well, so that
 * sending it cannot fail. `undefined`, and nothing moved, when it cannot be sent.
 */
export function movedCopy(value: object, { list }: Mark): { readonly copy: unknown } | undefined {
  try {
    const items = [...list] as ArrayBuffer[];
    const moved = structuredClone({ value, items }, { transfer: items });
    return { copy: transfer(moved.value, moved.items) };
  } catch {
    return undefined;
  }
}
