import type { Span } from './finding.ts';

/** A piece of JSON5 text, recognised without asking whether the whole makes sense. */
export interface Lexeme extends Span {
  readonly kind: 'comment' | 'string' | 'word' | 'punctuation';
  /** Whether a string or comment has its end; true for the others. */
  readonly closed: boolean;
}

const PUNCTUATION = new Set(['{', '}', '[', ']', ':', ',']);
const QUOTES = new Set(['"', "'"]);

/**
 * Splits a text into lexemes. Never fails, so that also a broken file can be looked at: a string ends at its
 * quote or at the end of its line, a word at whatever is not part of a word.
 */
export function lexemes(text: string): Lexeme[] {
  const found: Lexeme[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    if (/\s/.test(char)) {
      at += 1;
      continue;
    }
    const lexeme = QUOTES.has(char)
      ? stringAt(text, at)
      : PUNCTUATION.has(char)
        ? { kind: 'punctuation' as const, start: at, end: at + 1, closed: true }
        : (commentAt(text, at) ?? wordAt(text, at));
    found.push(lexeme);
    at = lexeme.end;
  }
  return found;
}

function stringAt(text: string, start: number): Lexeme {
  const quote = text.charAt(start);
  let at = start + 1;
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === quote) return { kind: 'string', start, end: at + 1, closed: true };
    if (char === '\n' || char === '\r') break;
    if (char === '\\') at += text.startsWith('\r\n', at + 1) ? 2 : 1;
    at += 1;
  }
  return { kind: 'string', start, end: Math.min(at, text.length), closed: false };
}

function commentAt(text: string, start: number): Lexeme | undefined {
  if (text.startsWith('//', start)) {
    let end = start;
    while (end < text.length && text.charAt(end) !== '\n' && text.charAt(end) !== '\r') end += 1;
    return { kind: 'comment', start, end, closed: true };
  }
  if (text.startsWith('/*', start)) {
    const end = text.indexOf('*/', start + 2);
    return { kind: 'comment', start, end: end < 0 ? text.length : end + 2, closed: end >= 0 };
  }
  return undefined;
}

function wordAt(text: string, start: number): Lexeme {
  let at = start + 1;
  while (at < text.length && !/[\s{}[\]:,"'/]/.test(text.charAt(at))) at += 1;
  return { kind: 'word', start, end: at, closed: true };
}
