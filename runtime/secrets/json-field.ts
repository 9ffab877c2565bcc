import { privateCopy } from './vault.ts';

/**
 * The bytes of one field of a JSON value: a string's text, any other value's JSON. Undefined when the value is
 * not a JSON object or has no such field. Parsing makes short-lived strings, which JavaScript cannot wipe.
 */
export function jsonField(bytes: Buffer, key: string): Buffer | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch {
    // The parser's own message quotes the text, so it must not travel.
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || !Object.hasOwn(parsed, key)) return undefined;
  const field = (parsed as Record<string, unknown>)[key];
  return privateCopy(new TextEncoder().encode(typeof field === 'string' ? field : JSON.stringify(field)));
}
