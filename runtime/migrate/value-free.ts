import type { Span } from '../config/finding.ts';
import { isCredentialName } from '../secrets-audit/credentials.ts';
import { markerOf } from './markers.ts';
import { isLiteral, type Passage } from './passages.ts';
import type { Search } from './search.ts';
import { GAP, isAll, joined, linesOf, REMOVED, replaced, type Replacement } from './spans.ts';
import { TokenFinder } from './tokens.ts';
import { weightOf } from './weight.ts';

/** What has to leave a text. */
export interface Gone {
  /** The values where they were found, and what takes their places. */
  readonly credentials: readonly Replacement[];
  /** The values, wherever else they stand. */
  readonly search: Search;
  /** Which texts and keys stay whatever they say. Default: none. */
  readonly stays?: (passage: Passage) => boolean;
}

export interface ValueFree {
  readonly text: string;
  /** What texts say now that said something else, by their paths as JSON. */
  readonly texts: ReadonlyMap<string, string>;
  /** Where something was left that may be one of the values. */
  readonly doubts: readonly number[];
}

/**
 * A JSON5 text without the values: where one was found, a reference stands now; out of longer texts it is cut, as are tokens of
 * well-known services; of a comment a line that holds one is removed. All else stays as it was, byte for byte.
 */
export async function valueFree(
  text: string,
  { credentials, search, stays }: Gone,
  finder: TokenFinder = new TokenFinder(),
): Promise<ValueFree> {
  const { passages, tokens } = await finder.passagesIn(text);
  const isFound = ({ start, end }: Span): boolean =>
    credentials.some((one) => one.start <= start && end <= one.end);
  const doubts: number[] = [];
  const texts = new Map<string, string>();
  const changes = [...credentials];
  for (const passage of passages) {
    if (isFound(passage)) continue;
    const { content, kind, path, start, end } = passage;
    const name = path?.findLast((key) => typeof key === 'string') ?? '';
    const sighting = search.in(content, name);
    const cuts = joined([...sighting.cuts, ...(tokens.get(passage) ?? []), ...fallbackIn(passage, name)]);
    const isKept = stays?.(passage) === true;
    if (sighting.isDoubtful || (isKept && cuts.length > 0)) doubts.push(start);
    if (isKept || cuts.length === 0) continue;
    if (kind === 'comment') {
      changes.push({ start, end, text: commentWithout(content, cuts) });
      continue;
    }
    const left = without(content, cuts);
    if (path !== undefined) texts.set(JSON.stringify(path), left);
    const quote = text.charAt(start) === "'" ? "'" : '"';
    const isSame = isLiteral(text, passage) && kind === 'text';
    changes.push({ start, end, text: isSame ? `${quote}${left}${quote}` : JSON.stringify(left) });
  }
  return { text: replaced(text, changes), texts, doubts };
}

/** What takes the place of a value that is kept. */
export function reference(ref: string): string {
  return `{ ref: ${JSON.stringify(ref)} }`;
}

function without(content: string, cuts: readonly Span[]): string {
  if (isAll(cuts, content)) return REMOVED;
  return replaced(
    content,
    cuts.map((cut) => ({ ...cut, text: GAP })),
  );
}

/** `${NAME:-value}` under the name of a credential. */
function fallbackIn({ kind, content }: Passage, name: string): Span[] {
  const marker = kind === 'text' ? markerOf(content) : undefined;
  if (marker?.kind !== 'variable' || marker.fallback === undefined) return [];
  const isSecret = isCredentialName(name) || isCredentialName(marker.variable);
  if (!isSecret || weightOf(marker.fallback) === 'word') return [];
  const start = content.lastIndexOf(marker.fallback);
  return [{ start, end: start + marker.fallback.length }];
}

function commentWithout(content: string, cuts: readonly Span[]): string {
  if (content.startsWith('//')) return `// ${REMOVED}`;
  const inner = content.slice(2, -2);
  const lines = linesOf(inner).filter(({ start, end }) =>
    // Of an empty line nothing can be cut.
    cuts.some((cut) => cut.start - 2 < end && start < cut.end - 2),
  );
  return `/*${replaced(
    inner,
    lines.map(({ start, end }) => {
      const [, lead = '', tail = ''] = /^(\s*(?:\*\s*)?).*?(\s*)$/s.exec(inner.slice(start, end)) ?? [];
      return { start, end, text: `${lead || ' '}${REMOVED}${tail}` };
    }),
  )}*/`;
}
