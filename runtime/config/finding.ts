/** A piece of the text of a file, as offsets; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Keys from the root of the config. */
export type ConfigPath = readonly (string | number)[];

/** Something wrong with a config, before it is known where in the file it stands. */
export interface Finding {
  readonly code: string;
  readonly path: ConfigPath;
  /** What an editor should underline: the key of `path`, or its value. */
  readonly at: 'key' | 'value';
  readonly message: string;
  /** Another part of the config that the message speaks about; its line is added to the message. */
  readonly related?: ConfigPath;
  /** Where it stands, when `path` alone does not tell. */
  readonly span?: Span;
  /** Like `related`, when a path does not tell. */
  readonly relatedSpan?: Span;
  /** Which of the files of a config `path` and the spans are of, when they are not of the whole. */
  readonly part?: number;
}

/** Keys that could reach into the prototype of an object. They are refused everywhere in a config. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Whether a key is refused everywhere in a config. */
export function isForbiddenKey(key: unknown): boolean {
  return typeof key === 'string' && FORBIDDEN_KEYS.has(key);
}

/** The finding for a key that is refused everywhere. */
export function forbiddenKey(path: ConfigPath, span?: Span): Finding {
  const message = `the key "${String(path.at(-1))}" is not allowed anywhere in a config; choose another name`;
  return { code: 'forbidden-key', path, at: 'key', message, ...(span && { span }) };
}

/** Whether a value is an object with keys: not null, not an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own property `key` of a value, or undefined. */
export function property(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string | number, unknown>)[key];
}

/** The value at a path, or undefined. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((value, key) => property(value, key), root);
}

/** The entries of a record; none when it is something else. */
export function entriesOf(value: unknown): [string, unknown][] {
  return isRecord(value) ? Object.entries(value).filter(([key]) => !isForbiddenKey(key)) : [];
}
