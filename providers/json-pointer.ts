/** What an RFC 6901 pointer such as `/providers/openai/apiKey` points at; undefined when there is nothing. */
export function atPointer(document: unknown, pointer: string): unknown {
  let at = document;
  for (const token of pointer.slice(1).split('/')) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null) return undefined;
    // Of an array only elements, not its length.
    if (Array.isArray(at) && !/^(?:0|[1-9]\d*)$/.test(key)) return undefined;
    if (!Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** Whether a text is a pointer to something inside a document. */
export function isPointer(text: string): boolean {
  return /^(?:\/(?:[^~/]|~[01])*)+$/.test(text);
}
