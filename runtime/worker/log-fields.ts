import { inspect } from 'node:util';
import { safeCopy } from '../wire/errors.ts';

/** Bytes of the fields of a line, and characters of its message: what is worth a warning of a message, too. */
export const mostBytes = 65_536;

/** Each field that cannot be cloned as text. */
export function clonableFields(fields: object): object {
  try {
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, clonable(value)]));
  } catch {
    return { leftOut: 'fields that cannot be read' };
  }
}

function clonable(value: unknown): unknown {
  const copy = safeCopy(value);
  if (copy !== undefined) return copy.copy;
  try {
    return inspect(value, { depth: 4 }).slice(0, mostBytes);
  } catch {
    return 'cannot be shown';
  }
}
