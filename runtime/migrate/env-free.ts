import type { Span } from '../config/finding.ts';
import { readDotenv } from '../secrets-audit/dotenv-file.ts';
import { type EnvValue, readEnv } from '../secrets-audit/env-file.ts';
import { isNamedCredential } from './named-credentials.ts';
import type { Search } from './search.ts';
import { joined, linesOf, REMOVED, replaced } from './spans.ts';
import type { TokenFinder } from './tokens.ts';

/** The assignments of a `.env` as Node reads them, and those that only `dotenv` sees. */
function entriesOfEnv(text: string): EnvValue[] {
  const entries: EnvValue[] = readEnv(text);
  const others = readDotenv(text).filter((one) => !entries.some((entry) => isOverlap(entry, one)));
  return [...entries, ...others.map((one) => Object.assign(one, { isDisputed: false }))].toSorted(
    (a, b) => a.start - b.start,
  );
}

/** The same; a token that goes on below its assignment, such as a key of many lines without quotes, is all of its value. */
export async function entriesIn(text: string, finder: TokenFinder): Promise<EnvValue[]> {
  const tokens = joined(await finder.spansIn(text));
  const entries: EnvValue[] = [];
  for (const entry of entriesOfEnv(text)) {
    if (entry.start < (entries.at(-1)?.end ?? 0)) continue;
    const token = tokens.find(
      ({ start, end }) => start < entry.end && entry.valueStart <= start && end > entry.end,
    );
    if (token === undefined) entries.push(entry);
    else {
      const value = text.slice(token.start, token.end).replaceAll('\r', '');
      entries.push({ ...entry, value, end: token.end, valueStart: token.start, valueEnd: token.end });
    }
  }
  return entries;
}

/** The credentials of a `.env`: by their names, and as tokens of a well-known service. What is disputed is for a person. */
export async function credentialsOfEnv(text: string, finder: TokenFinder): Promise<EnvValue[]> {
  const tokens = joined(await finder.spansIn(text));
  const entries = await entriesIn(text, finder);
  return entries.filter((one) => {
    const isToken = tokens.some(({ start, end }) => start <= one.valueStart && one.valueEnd <= end);
    return !one.isDisputed && one.value !== '' && (isToken || isNamedCredential(one));
  });
}

/**
 * A `.env` without the values: each assignment whose value was found, or is one of the values, becomes a comment that says where
 * it is now; a line that holds a value in another way is removed. What Node and `dotenv` do not read alike stays, and so does all
 * else, byte for byte.
 */
export async function envFree(
  text: string,
  { credentials, search, refOf }: EnvGone,
  finder: TokenFinder,
): Promise<{ text: string; doubts: readonly number[] }> {
  const entries = await entriesIn(text, finder);
  const tokens = await finder.spansIn(text);
  const holdsToken = (span: Span): boolean => tokens.some((one) => isOverlap(one, span));
  const doubts: number[] = [];
  const changes = entries.flatMap((entry) => {
    const { start, end, name, value, isDisputed } = entry;
    if (isDisputed) return [];
    const ref = credentials.get(start) ?? (search.has(value, name) ? refOf(value) : undefined);
    if (ref !== undefined) return [{ start, end, text: `# ${name} is ${ref} now` }];
    const { cuts, isDoubtful } = search.in(text.slice(start, end), name);
    if (cuts.length > 0 || holdsToken(entry)) return [{ start, end, text: `# ${name}: ${REMOVED}` }];
    if (isDoubtful) doubts.push(start);
    return [];
  });
  const isInEntry = (span: Span): boolean => entries.some((entry) => isOverlap(entry, span));
  const others = linesOf(text)
    .filter((line) => line.end > line.start && !isInEntry(line))
    .filter((line) => {
      const written = text.slice(line.start, line.end);
      const commented = entriesOfEnv(written.replace(/^[\s#]+/, '')).some(isNamedCredential);
      return commented || search.in(written).cuts.length > 0 || holdsToken(line);
    })
    .map(({ start, end }) => ({ start, end, text: `# ${REMOVED}` }));
  return { text: replaced(text, [...changes, ...others]), doubts };
}

/** What has to leave a `.env`. */
export interface EnvGone {
  /** The references of those that were found, by where their assignments start. */
  readonly credentials: ReadonlyMap<number, string>;
  readonly search: Search;
  /** The reference of a value. */
  readonly refOf: (value: string) => string | undefined;
}

function isOverlap(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end;
}
