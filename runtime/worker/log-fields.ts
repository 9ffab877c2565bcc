import { inspect } from 'node:util';
import { safeCopy } from '../wire/errors.ts';

/**
 * The most bytes of the fields of a line, and characters of its message: the size at which a message is worth a
 * warning, too.
 */
export const mostBytes = 65_536;

/** The fields, with a text in place of each that cannot be cloned. */
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
