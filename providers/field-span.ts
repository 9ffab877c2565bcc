import { isPointer, spanAtPointer } from './json-pointer.ts';
import { memberSpan, rootSpan, type JsonSpan } from './json-text.ts';

/**
 * Where the field of a ref stands in a JSON value: the member that has that name; else, when the field begins with `/`, what
 * it points at as a JSON pointer; else what names joined by dots lead to, of two ways that of the longer name. Of an array a
 * name is the number of an element. Undefined when the value is not JSON or has no such field.
 */
export function fieldSpan(bytes: Uint8Array, field: string): JsonSpan | undefined {
  const root = rootSpan(bytes);
  if (root === undefined) return undefined;
  const named = memberSpan(bytes, root, field);
  if (named !== undefined) return named;
  return isPointer(field) ? spanAtPointer(bytes, field) : nestedSpan(bytes, root, field.split('.'));
}

function nestedSpan(bytes: Uint8Array, holder: JsonSpan, names: readonly string[]): JsonSpan | undefined {
  for (let count = names.length; count > 0; count -= 1) {
    const member = memberSpan(bytes, holder, names.slice(0, count).join('.'));
    const found = member && count < names.length ? nestedSpan(bytes, member, names.slice(count)) : member;
    if (found !== undefined) return found;
  }
  return undefined;
}
