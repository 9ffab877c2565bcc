import { fieldSpan } from '../../../providers/field-span.ts';
import { kindAt, rootSpan, textAt } from '../../../providers/json-text.ts';
import { privateCopy } from './vault.ts';

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
    ? `its field "${field}" is null, which is not a secret`
    : `it has no field "${field}"`;
}
