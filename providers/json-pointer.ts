import { memberSpan, rootSpan, type JsonSpan } from './json-text.ts';

/**
 * Where in a JSON text an RFC 6901 pointer such as `/providers/openai/apiKey` points; undefined when there is nothing, or
 * the text is not JSON.
 */
export function spanAtPointer(bytes: Uint8Array, pointer: string): JsonSpan | undefined {
  let at = rootSpan(bytes);
  for (const token of pointer.slice(1).split('/')) {
    if (at === undefined) return undefined;
    at = memberSpan(bytes, at, token.replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return at;
}

/** Whether a text is a pointer to something inside a document. */
export function isPointer(text: string): boolean {
  return /^(?:\/(?:[^~/]|~[01])*)+$/.test(text);
}
