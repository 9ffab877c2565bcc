import { fieldSpan } from '../../../providers/field-span.ts';
import { kindAt, rootSpan, textAt } from '../../../providers/json-text.ts';
import { privateCopy } from './vault.ts';

/**
 * The bytes of one field of a JSON value: the text of a string, and the JSON of any other value as it stands there, so
 * that a number keeps its digits. Undefined when the field is missing or `null`. Makes short-lived strings, which
 * JavaScript cannot wipe.
 */
export function jsonField(bytes: Uint8Array, field: string): Buffer | undefined {
  const span = fieldSpan(bytes, field);
  const text = span && textAt(bytes, span);
  if (text === undefined) return undefined;
  const copy = privateCopy(text);
  text.fill(0);
  return copy;
}

/** The reason why the field is missing, as a clause that reveals no value. */
export function missingField(bytes: Uint8Array, field: string): string {
  if (rootSpan(bytes) === undefined) return 'it is not JSON';
  const span = fieldSpan(bytes, field);
  return span !== undefined && kindAt(bytes, span) === 'null'
    ? `its field "${field}" is null, which is not a secret`
    : `it has no field "${field}"`;
}
