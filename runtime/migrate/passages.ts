import { parseDocument } from '../config/document.ts';
import type { ConfigPath, Span } from '../config/finding.ts';
import { type Lexeme, lexemes } from '../config/lexemes.ts';

/** A comment, a text or a key of a JSON5 document: where a person can have written a value. */
export interface Passage extends Span {
  readonly kind: 'comment' | 'text' | 'key';
  /** What it says: without quotes and escapes; a comment as it is written. */
  readonly content: string;
  /** Where a text stands. */
  readonly path?: ConfigPath;
}

/** In the order of the text, which is JSON5. */
export function passagesOf(text: string): Passage[] {
  const parts = lexemes(text);
  const paths = pathsOf(text);
  const isKey = keysOf(text, parts);
  return parts.flatMap((part): Passage[] => {
    const { start, end, kind } = part;
    const written = text.slice(start, end);
    if (kind === 'comment') return [{ start, end, kind: 'comment', content: written }];
    if (isKey.has(part)) return [{ start, end, kind: 'key', content: said(written) }];
    if (kind !== 'string') return [];
    const path = paths.get(start);
    return [{ start, end, kind: 'text', content: said(written), ...(path && { path }) }];
  });
}

/** Whether a passage has no escapes, so that an offset in its content is one in the text. */
export function isLiteral(text: string, { start, end, content, kind }: Passage): boolean {
  if (kind === 'comment') return true;
  const written = text.slice(start, end);
  // A key may have no quotes.
  return written.slice(1, -1) === content || (kind === 'key' && written === content);
}

function said(written: string): string {
  if (!/^["']/.test(written)) return written;
  const { value } = parseDocument(written);
  return typeof value === 'string' ? value : written.slice(1, -1);
}

function keysOf(text: string, parts: readonly Lexeme[]): ReadonlySet<Lexeme> {
  const keys = new Set<Lexeme>();
  let before: Lexeme | undefined;
  for (const part of parts) {
    if (part.kind === 'comment') continue;
    if (before !== undefined && before.kind !== 'punctuation' && text[part.start] === ':') keys.add(before);
    before = part;
  }
  return keys;
}

/** The path of each text by where it starts. */
function pathsOf(text: string): ReadonlyMap<number, ConfigPath> {
  const document = parseDocument(text);
  const paths = new Map<number, ConfigPath>();
  const walk = (value: unknown, path: ConfigPath): void => {
    if (typeof value === 'string') paths.set(document.locate(path, 'value').start, path);
    else if (Array.isArray(value)) for (const [n, item] of value.entries()) walk(item, [...path, n]);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) walk(member, [...path, key]);
    }
  };
  walk(document.value, []);
  return paths;
}
