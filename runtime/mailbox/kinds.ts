/**
 * The type that structured clone takes an object for. It asks the object itself, and neither its class nor what that
 * claims: an object of another realm has another class, `Object.create(Error.prototype)` makes no error, and a
 * subclass may iterate over whatever it likes.
 */
export type Kind =
  | 'view'
  | 'memory'
  | 'shared'
  | 'map'
  | 'set'
  | 'error'
  /** A date, a pattern, a boxed primitive: its content is in no field, and its fields do not cross. */
  | 'value'
  /** Nothing but its fields crosses, unless it belongs to the platform, such as a blob. */
  | 'fields';

/** The part of a memory that a view shows, in bytes. */
export interface Part {
  readonly buffer: ArrayBufferLike;
  readonly from: number;
  readonly to: number;
  /** The start of the part is a multiple of this. */
  readonly unit: number;
}

type Read<T> = (of: object) => T;

const { types } = (globalThis as { process?: typeof process }).process?.getBuiltinModule('node:util') ?? {};

/** Absent with `--jitless`. */
const { Memory } = (
  globalThis as { WebAssembly?: { Memory?: new () => { readonly buffer: ArrayBufferLike } } }
).WebAssembly ?? { Memory: undefined };

/** The kind of an object that is no array. */
export function kindOf(object: object): Kind {
  if (ArrayBuffer.isView(object)) return 'view';
  if (Object.getPrototypeOf(object) === null) return 'fields';
  if (types === undefined) return kindByClass(object);
  if (types.isMap(object)) return 'map';
  if (types.isSet(object)) return 'set';
  if (types.isNativeError(object)) return 'error';
  if (types.isAnyArrayBuffer(object)) return types.isSharedArrayBuffer(object) ? 'shared' : 'memory';
  if (types.isDate(object) || types.isRegExp(object) || types.isBoxedPrimitive(object)) return 'value';
  return isSharedMemory(object) ? 'shared' : 'fields';
}

/** The kind of an object that cannot be asked. */
function kindByClass(object: object): Kind {
  if (object instanceof Map) return 'map';
  if (object instanceof Set) return 'set';
  if (object instanceof Error) return 'error';
  if (object instanceof ArrayBuffer) return 'memory';
  if (typeof SharedArrayBuffer === 'function' && object instanceof SharedArrayBuffer) return 'shared';
  return object instanceof Date || object instanceof RegExp ? 'value' : 'fields';
}

/** Memory that is shared crosses itself. */
function isSharedMemory(object: object): boolean {
  return Memory !== undefined && object instanceof Memory && tagOf(object.buffer) === 'SharedArrayBuffer';
}

/** `ArrayBuffer` or `SharedArrayBuffer`, of any realm. */
export function tagOf(buffer: ArrayBufferLike): string {
  return buffer[Symbol.toStringTag];
}

export const sizeOfMap = getter<number>(Map.prototype, 'size');
export const sizeOfSet = getter<number>(Set.prototype, 'size');

export function entriesOf(map: object): Iterable<[unknown, unknown]> {
  return mapEntries.call(map);
}

export function valuesOf(set: object): Iterable<unknown> {
  return setValues.call(set);
}

const mapEntries = method<[unknown, unknown]>(Map.prototype, 'entries');
const setValues = method<unknown>(Set.prototype, 'values');

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const viewBuffer = getter<ArrayBufferLike>(typedArray, 'buffer');
const viewFrom = getter<number>(typedArray, 'byteOffset');
const viewLength = getter<number>(typedArray, 'byteLength');
const dataBuffer = getter<ArrayBufferLike>(DataView.prototype, 'buffer');
const dataFrom = getter<number>(DataView.prototype, 'byteOffset');
const dataLength = getter<number>(DataView.prototype, 'byteLength');

/** The name of a typed array's type, also for a subclass such as `Buffer`; `undefined` for a `DataView`. */
export const typedArrayOf = getter<string | undefined>(typedArray, Symbol.toStringTag);

/** @throws for a `DataView` of memory that is gone, as structured clone does */
export function partOf(view: ArrayBufferView): Part {
  const name = typedArrayOf(view);
  if (name === undefined) {
    const from = dataFrom(view);
    return { buffer: dataBuffer(view), from, to: from + dataLength(view), unit: 1 };
  }
  const from = viewFrom(view);
  const unit = (globalThis[name as keyof typeof globalThis] as Uint8ArrayConstructor).BYTES_PER_ELEMENT;
  return { buffer: viewBuffer(view), from, to: from + viewLength(view), unit };
}

function getter<T>(of: object, name: PropertyKey): Read<T> {
  const property = Object.getOwnPropertyDescriptor(of, name);
  return (object) => property?.get?.call(object) as T;
}

function method<T>(of: object, name: string): (this: object) => Iterable<T> {
  return Object.getOwnPropertyDescriptor(of, name)?.value as (this: object) => Iterable<T>;
}
