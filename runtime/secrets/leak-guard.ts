import { encodings } from './encodings.ts';

/** Shorter values turn up by chance, so they are not looked for. */
export const shortestGuarded = 8;

/**
 * Whether `found` carries the value anywhere: in strings, keys, bytes, arrays, maps, sets, errors and plain
 * objects, as itself, hex or base64. What cannot be walked (functions, proxies that throw) cannot be cloned to
 * a thread either.
 */
export function carriesValue(found: unknown, value: Buffer): boolean {
  if (value.length < shortestGuarded) return false;
  const forms = encodings(value);
  try {
    return walk(found, (bytes) => forms.some((form) => bytes.includes(form)));
  } finally {
    for (const form of forms) form.fill(0);
  }
}

// Not recursive: a result may be nested deeper than the stack.
function walk(root: unknown, carries: (bytes: Buffer) => boolean): boolean {
  const seen = new Set<unknown>();
  const open: unknown[] = [root];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === 'string') {
      // Both readings: a binary value that became text did so as UTF-8 or as latin1.
      if (carries(Buffer.from(next, 'utf8')) || carries(Buffer.from(next, 'latin1'))) return true;
    } else if (typeof next === 'object' && next !== null && !seen.has(next)) {
      seen.add(next);
      const bytes = bytesOf(next);
      if (bytes === undefined) open.push(...partsOf(next));
      else if (carries(bytes)) return true;
    }
  }
  return false;
}

function bytesOf(found: object): Buffer | undefined {
  if (ArrayBuffer.isView(found)) return Buffer.from(found.buffer, found.byteOffset, found.byteLength);
  if (found instanceof ArrayBuffer || found instanceof SharedArrayBuffer) return Buffer.from(found);
  return undefined;
}

function* partsOf(found: object): Iterable<unknown> {
  if (found instanceof Map) for (const [key, value] of found) yield* [key, value];
  else if (found instanceof Set) yield* found;
  // An error's message, stack, cause and errors are its own properties, but not enumerable ones.
  const keys = found instanceof Error ? ['name', ...Object.getOwnPropertyNames(found)] : Object.keys(found);
  for (const key of keys) yield* [key, (found as Record<string, unknown>)[key]];
}
