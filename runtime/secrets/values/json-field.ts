import { isPointer, spanAtPointer } from '../../../providers/json-pointer.ts';
import { kindAt, memberSpan, rootSpan, textAt, type JsonSpan } from '../../../providers/json-text.ts';
import { privateCopy } from './vault.ts';

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

/**
 * The bytes of one field of a JSON value: of a string its text, of any other value its JSON as it stands there, so that a
 * number keeps its digits. Undefined when there is no such field or it is `null`. Makes short-lived strings, which JavaScript
 * cannot wipe.
 */
export function jsonField(bytes: Uint8Array, field: string): Buffer | undefined {
  const span = fieldSpan(bytes, field);
  const text = span && textAt(bytes, span);
  if (text === undefined) return undefined;
  const copy = privateCopy(text);
  text.fill(0);
  return copy;
}

/** Why there is no such field, as a clause; says nothing of any value. */
export function missingField(bytes: Uint8Array, field: string): string {
  if (rootSpan(bytes) === undefined) return 'it is not JSON';
  const span = fieldSpan(bytes, field);
  return span !== undefined && kindAt(bytes, span) === 'null'
    ? `its field "${field}" is null, which is no secret`
    : `it has no field "${field}"`;
}
