import type { Span } from '../config/finding.ts';
import { knownTokens } from '../secrets-audit/known-tokens.ts';
import { innerValuesOfJson } from '../secrets-audit/named-values.ts';
import { isNamedCredential } from './named-credentials.ts';
import { isLiteral, type Passage, passagesOf } from './passages.ts';

/** The passages of a JSON5 text, and where tokens stand in the contents of those that have some. */
export interface TokenPassages {
  readonly passages: readonly Passage[];
  readonly tokens: ReadonlyMap<Passage, readonly Span[]>;
}

/** Finds tokens of well-known services. A migration asks for the same texts several times: each is looked through once. */
export class TokenFinder {
  readonly #spans = new Map<string, Promise<readonly Span[]>>();
  readonly #passages = new Map<string, Promise<TokenPassages>>();

  /** Where they stand in a text. */
  spansIn(text: string): Promise<readonly Span[]> {
    return known(this.#spans, text, findSpans);
  }

  /** Where they stand in the passages of a JSON5 text, and what has the name of a credential in a comment or a text. */
  passagesIn(text: string): Promise<TokenPassages> {
    return known(this.#passages, text, findInPassages);
  }
}

function known<T>(
  found: Map<string, Promise<T>>,
  text: string,
  find: (text: string) => Promise<T>,
): Promise<T> {
  const before = found.get(text);
  if (before !== undefined) return before;
  const finding = find(text);
  found.set(text, finding);
  return finding;
}

async function findSpans(text: string): Promise<readonly Span[]> {
  const found = await knownTokens(text);
  // What is known by the whole of a file says nothing about a place in it.
  return found.filter((one) => !one.isPlaceholder && (one.start > 0 || one.end < text.length));
}

async function findInPassages(text: string): Promise<TokenPassages> {
  const passages = passagesOf(text);
  const found = new Map<Passage, Span[]>();
  const add = (passage: Passage, { start, end }: Span): void => {
    const span = { start: Math.max(0, start), end: Math.min(passage.content.length, end) };
    if (span.start < span.end) found.set(passage, [...(found.get(passage) ?? []), span]);
  };
  const inText = [...(await findSpans(text)), ...namedSpans(text)];
  for (const passage of passages) {
    const hasQuotes = /^["']/.test(text.charAt(passage.start));
    const from = passage.start + (hasQuotes ? 1 : 0);
    for (const { start, end } of inText) {
      if (start >= passage.end || end <= passage.start) continue;
      const isExact = isLiteral(text, passage);
      add(
        passage,
        isExact ? { start: start - from, end: end - from } : { start: 0, end: passage.content.length },
      );
    }
  }
  await findInContents(
    passages.filter((passage) => !isLiteral(text, passage)),
    add,
  );
  return { passages, tokens: found };
}

/** Of what has escapes in it the content is looked at too. */
async function findInContents(
  passages: readonly Passage[],
  add: (passage: Passage, span: Span) => void,
): Promise<void> {
  if (passages.length === 0) return;
  const spans = await findSpans(passages.map(({ content }) => content).join('\n'));
  let begin = 0;
  for (const passage of passages) {
    for (const { start, end } of spans) add(passage, { start: start - begin, end: end - begin });
    begin += passage.content.length + 1;
  }
}

/** `token: value` in a comment, `--password value` in a text. */
function namedSpans(text: string): Span[] {
  return innerValuesOfJson(text).flatMap((one) => (isNamedCredential(one) ? [one.span] : []));
}
