import type { ReadableStream, TransformStream, WritableStream } from 'node:stream/web';
import type { MessagePort } from 'node:worker_threads';

/** The types that can move from thread to thread. */
export type Movable = ArrayBuffer | MessagePort | ReadableStream | WritableStream | TransformStream;

/** The list of what moves with a marked value. */
export interface Mark {
  readonly list: ReadonlySet<unknown>;
  /** The value has moved: the rest of it here cannot be sent again. */
  moved: boolean;
}

interface Marks {
  /** `false` until something is marked, so that a program without transfers pays for one look. */
  used: boolean;
  readonly of: WeakMap<object, Mark>;
}

const SLOT = Symbol.for('holdfast.transfer');

/** One per thread, under a global symbol, because an agent's own import may be another copy of this module. */
const marks = ((globalThis as { [SLOT]?: Marks })[SLOT] ??= { used: false, of: new WeakMap() });

/** Marks a value with what is to move with it; `holdfast` and `holdfast/agent` export it behind a check. */
export function transfer<T extends object>(value: T, list: readonly (Movable | ArrayBufferLike)[]): T {
  // A primitive holds nothing that could move.
  if (typeof value !== 'object' || value === null) return value;
  marks.used = true;
  // Shared memory does not move; whether it may be sent is not the sender's decision.
  const movable = list.filter((item) => !(item instanceof SharedArrayBuffer) && !isKept(item));
  marks.of.set(value, { list: new Set(movable), moved: false });
  return value;
}

const threads = (globalThis as { process?: typeof process }).process?.getBuiltinModule('node:worker_threads');

/** All small buffers share Node's pool, so a buffer that is cut from it is copied. */
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

/** Whether the value was marked and its transferables are gone. */
export function hasMoved(value: unknown): boolean {
  const mark = markOf(value);
  if (mark === undefined) return false;
  if (mark.moved) return true;
  for (const item of mark.list)
    if ((item as Partial<ArrayBuffer> | undefined)?.detached === true) return true;
  return false;
}

/** Notes that the value has moved, or that only a remainder of it is here. */
export function setMoved(value: object): void {
  marks.used = true;
  const mark = marks.of.get(value);
  if (mark === undefined) marks.of.set(value, { list: new Set(), moved: true });
  else mark.moved = true;
}

/**
 * Marks the copy that takes the place of a value: the transferables of the value move with the copy, and then both
 * count as moved.
 */
export function markAlike(copy: object, value: object): void {
  const mark = markOf(value);
  if (mark !== undefined) marks.of.set(copy, mark);
}

/** The transferables of these values, to go with their message; `undefined` when there are none. */
export function transferablesOf(values: readonly unknown[]): unknown[] | undefined {
  if (!marks.used) return undefined;
  let all: unknown[] | undefined;
  for (const value of values) {
    const mark = markOf(value);
    // Duplicates are kept: a transferable of two values can arrive with one of them only, and the port reports it.
    if (mark !== undefined) (all ??= []).push(...mark.list);
  }
  return all;
}

/**
 * Moves a marked value out of itself: the copy owns the memory and ports of the value and is marked as well, so that
 * sending it cannot fail. `undefined`, and nothing moved, when the value cannot be sent.
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
