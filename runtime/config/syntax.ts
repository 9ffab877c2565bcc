import type { Finding } from './finding.ts';
import type { Lexeme } from './lexemes.ts';
import { plainText } from './received.ts';

/** A config has few levels; so many are only in a text that is meant to exhaust the stack of a parser. */
const DEEPEST_NESTING = 64;

/** What can be told before parsing, and better than by a parser: a string without end, and far too many levels. */
export function unusable(text: string, parts: readonly Lexeme[]): Finding | undefined {
  const open = parts.find((part) => !part.closed);
  if (open !== undefined) return syntax(open.start, `this ${open.kind} is not closed`);
  const { tooDeep } = brackets(text, parts);
  return tooDeep && syntax(tooDeep.start, `more than ${DEEPEST_NESTING} levels of nesting`);
}

function brackets(text: string, parts: readonly Lexeme[]): { unclosed?: Lexeme; tooDeep?: Lexeme } {
  const open: Lexeme[] = [];
  for (const part of parts) {
    const char = part.kind === 'punctuation' ? text.charAt(part.start) : '';
    if (char === '{' || char === '[') open.push(part);
    if (char === '}' || char === ']') {
      const opened = open.pop();
      // Brackets that do not match: the parser says which.
      if (!opened || text.charAt(opened.start) !== (char === '}' ? '{' : '[')) return {};
    }
    if (open.length > DEEPEST_NESTING) return { tooDeep: part };
  }
  const unclosed = open.at(-1);
  return unclosed ? { unclosed } : {};
}

const TOKENS: Readonly<Record<string, string>> = {
  LBrace: '"{"',
  RBrace: '"}"',
  LBracket: '"["',
  RBracket: '"]"',
  Comma: '","',
  Colon: '":"',
  String: 'string; is a comma or colon missing before it?',
  Number: 'number; is a comma or colon missing before it?',
  Boolean: 'true or false; is a comma or colon missing before it, or quotes around it?',
  Null: 'null; is a comma or colon missing before it, or quotes around it?',
  Identifier: 'word; are quotes missing around it, or a comma or colon before it?',
};

/**
 * The finding for what the parser threw. The parser's own message may quote the text, which may hold a
 * credential, so only what it says about the kind of token is used.
 */
export function unreadable(text: string, parts: readonly Lexeme[], error: unknown): Finding {
  const { message } = error instanceof Error ? error : { message: '' };
  const thrown = error as { offset?: unknown } | null;
  const offset = typeof thrown?.offset === 'number' ? thrown.offset : 0;
  const token = /^Unexpected token (\w+)/.exec(message)?.[1];
  const { unclosed } = brackets(text, parts);
  // At the end of the text the parser names the last token it read, as if that were unexpected.
  const last = parts.findLast((part) => part.kind !== 'comment');
  const atEnd = message.startsWith('Unexpected end') || (unclosed !== undefined && offset === last?.start);
  if (atEnd && unclosed) return syntax(unclosed.start, `this "${text.charAt(unclosed.start)}" is not closed`);
  if (atEnd) return syntax(text.trimEnd().length, 'the file ends too early');
  if (token !== undefined) return syntax(offset, `unexpected ${TOKENS[token] ?? token}`);
  const char = /^Unexpected character '(.)'/su.exec(message)?.[1];
  if (char !== undefined) {
    // In a number the parser names a character but gives the place of the one before it.
    const at = text[offset] !== char && text[offset + 1] === char ? offset + 1 : offset;
    return syntax(at, `unexpected character "${plainText(char)}"`);
  }
  return syntax(offset, 'this is not JSON5');
}

function syntax(offset: number, message: string): Finding {
  return { code: 'syntax', path: [], at: 'value', message, span: { start: offset, end: offset } };
}
