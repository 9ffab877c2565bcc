import { lexemes } from '../config/lexemes.ts';
import type { Span } from '../config/finding.ts';
import { judge } from '../secrets-audit/credentials.ts';
import { knownTokens } from '../secrets-audit/known-tokens.ts';
import { valuesOfJson, type NamedJsonValue } from '../secrets-audit/named-values.ts';

/**
 * The credentials that stand in a JSON5 text under names of their own, in its order; undefined when the text cannot be read
 * whole: it is no JSON5, or has a key twice.
 */
export function credentialsIn(text: string): NamedJsonValue[] | undefined {
  return valuesOfJson(text)
    ?.filter((one) => judge(one)?.isPlaceholder === false)
    .toSorted((a, b) => a.span.start - b.span.start);
}

/**
 * The text without the credentials in it: where one stood by its name, a reference stands now, to what `refOf` says; a comment
 * or a text that holds one in another way is removed as a whole. All else stays as it was, byte for byte.
 */
export async function valueFree(
  text: string,
  credentials: readonly NamedJsonValue[],
  refOf: (credential: NamedJsonValue) => string,
): Promise<string> {
  const named = replaced(
    text,
    credentials.map((one) => ({ ...one.span, text: `{ ref: ${JSON.stringify(refOf(one))} }` })),
  );
  return withoutValues(
    named,
    credentials.map(({ value }) => value),
  );
}

/** The text without the comments and texts that hold one of the values, or a token of a well-known service. */
export async function withoutValues(text: string, secrets: readonly string[]): Promise<string> {
  const values = secrets.flatMap((value) => [value, JSON.stringify(value).slice(1, -1)]);
  const lines = new Set((await knownTokens(text)).map(({ line }) => line));
  const starts = lineStarts(text);
  const holdsOne = ({ start, end }: Span): boolean =>
    values.some((value) => text.slice(start, end).includes(value)) ||
    [...lines].some((line) => (starts[line - 1] ?? 0) < end && start < (starts[line] ?? Infinity));
  return replaced(
    text,
    lexemes(text)
      .filter(({ kind }) => kind === 'comment' || kind === 'string')
      .filter(holdsOne)
      .filter((lexeme) => !isKey(text, lexeme))
      .map((lexeme) => ({ start: lexeme.start, end: lexeme.end, text: removed(text, lexeme) })),
  );
}

interface Replacement extends Span {
  readonly text: string;
}

function replaced(text: string, replacements: readonly Replacement[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, text: instead } of replacements) {
    result += text.slice(at, start) + instead;
    at = end;
  }
  return result + text.slice(at);
}

function removed(text: string, { start, end, kind }: Span & { readonly kind: string }): string {
  if (kind === 'string') return '"removed: it held a credential"';
  const isLine = text.startsWith('//', start);
  // A line comment reaches to the end of its line, with or without it.
  const tail = /\r?\n$/.exec(text.slice(start, end))?.[0] ?? '';
  return isLine ? `// removed: it held a credential${tail}` : '/* removed: it held a credential */';
}

function isKey(text: string, { end }: Span): boolean {
  return /^\s*:/.test(text.slice(end));
}

function lineStarts(text: string): number[] {
  return [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
}
