type Path = readonly (string | number)[];

/** What is at a path of one value, and what of the other. */
export interface Difference {
  readonly path: Path;
  /** Absent: there was nothing. */
  readonly before?: unknown;
  /** Absent: there is nothing any more. */
  readonly after?: unknown;
}

export interface Shared {
  readonly value: unknown;
  /** About how many characters of it are not in what was before. */
  readonly size: number;
}

/** What an object, a list or a field takes besides its characters. */
const EACH = 16;

/**
 * `after`, in which all that is the same as in `before` is that very object: a long history of a state is as large as what has
 * changed in it. Both are JSON.
 */
export function shared(before: unknown, after: unknown): Shared {
  if (!isObject(after))
    return {
      value: after,
      size: before === after ? 0 : EACH + (typeof after === 'string' ? after.length : 0),
    };
  const isList = Array.isArray(after);
  const old = isObject(before) && Array.isArray(before) === isList ? before : undefined;
  const keys = Object.keys(after);
  const parts = keys.map((key) => [key, shared(old?.[key], after[key])] as const);
  const isSame =
    old !== undefined &&
    Object.keys(old).length === keys.length &&
    parts.every(([key, { value }]) => Object.hasOwn(old, key) && old[key] === value);
  if (isSame) return { value: old, size: 0 };
  const size = parts.reduce((sum, [key, part]) => sum + part.size + (isList ? 0 : key.length), EACH);
  const value = isList ? parts.map(([, part]) => part.value) : toObject(parts);
  return { value, size };
}

/** What has changed, in the order of the later one, and what is gone behind it. Quick where they share what is the same. */
export function differences(before: unknown, after: unknown): Difference[] {
  const found: Difference[] = [];
  const compare = (before: unknown, after: unknown, path: Path): void => {
    if (before === after) return;
    if (!isObject(before) || !isObject(after) || Array.isArray(before) !== Array.isArray(after)) {
      found.push({ path, before, after });
      return;
    }
    const at = (key: string): Path => [...path, Array.isArray(after) ? Number(key) : key];
    for (const [key, value] of Object.entries(after))
      if (Object.hasOwn(before, key)) compare(before[key], value, at(key));
      else found.push({ path: at(key), after: value });
    for (const [key, value] of Object.entries(before))
      if (!Object.hasOwn(after, key)) found.push({ path: at(key), before: value });
  };
  compare(before, after, []);
  return found;
}

/** `items[0].name` */
export function pathText(path: Path): string {
  return path
    .map((key, n) => (typeof key === 'number' ? `[${key}]` : `${n === 0 ? '' : '.'}${key}`))
    .join('');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** With a key `__proto__` it is a field like any other. */
function toObject(parts: readonly (readonly [string, Shared])[]): object {
  return Object.fromEntries(parts.map(([key, { value }]) => [key, value]));
}
