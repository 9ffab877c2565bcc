import type { EnvAssignment } from './env-assignment.ts';

/** The assignments of an `.env` as the package `dotenv` reads them (16 and 17), in their order. */
export function readDotenv(text: string): EnvAssignment[] {
  const found: EnvAssignment[] = [];
  const named = /(?:export\s+)?([\w.-]+)(?:\s*=|:(?=\s))/y;
  let start = matchEnd(/\s*/y, text, 0);
  while (start < text.length) {
    named.lastIndex = start;
    const name = named.exec(text)?.[1];
    let end = start;
    if (name !== undefined) {
      const sign = named.lastIndex;
      const value = quotedAt(text, sign) ?? plainAt(text, sign);
      end = lineEnd(text, value.valueEnd);
      found.push({ name, start, end, ...value });
    }
    start = matchEnd(/\s*/y, text, lineEnd(text, end));
  }
  return found;
}

type Value = Pick<EnvAssignment, 'value' | 'valueStart' | 'valueEnd'>;

/** In quotes, with nothing behind them but a comment; line breaks may stand before it and in it. */
function quotedAt(text: string, at: number): Value | undefined {
  const opening = matchEnd(/\s*/y, text, at);
  const quote = text.charAt(opening);
  if (quote !== '"' && quote !== "'" && quote !== '`') return undefined;
  // One behind a backslash closes only when the first without one does not.
  const escaped: number[] = [];
  let closing = text.indexOf(quote, opening + 1);
  for (; closing > 0 && text[closing - 1] === '\\'; closing = text.indexOf(quote, closing + 1))
    escaped.push(closing);
  const ends = [closing, ...escaped.toReversed()].filter((end) => end > 0);
  const valueEnd = ends.find((end) => isLast(text, end + 1));
  if (valueEnd === undefined) return undefined;
  return { value: expanded(text.slice(opening + 1, valueEnd), quote), valueStart: opening + 1, valueEnd };
}

function plainAt(text: string, at: number): Value {
  const raw = text.slice(at, matchEnd(/[^#\n\r]*/y, text, at));
  const value = raw.trim();
  const quote = value.charAt(0);
  const isQuoted = /^(["'`]).*\1$/s.test(value);
  const valueStart = value === '' ? at : at + raw.length - raw.trimStart().length + Number(isQuoted);
  const inner = isQuoted ? value.slice(1, -1) : value;
  return { value: expanded(inner, quote), valueStart, valueEnd: valueStart + inner.length };
}

function expanded(raw: string, quote: string): string {
  const value = raw.replaceAll(/\r\n?/g, '\n');
  if (quote !== '"') return value;
  return value.replaceAll(String.raw`\n`, '\n').replaceAll(String.raw`\r`, '\r');
}

function isLast(text: string, at: number): boolean {
  const next = text[matchEnd(/[^\S\n\r]*/y, text, at)];
  return next === undefined || next === '#' || next === '\n' || next === '\r';
}

function lineEnd(text: string, at: number): number {
  return matchEnd(/[^\n\r]*/y, text, at);
}

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
