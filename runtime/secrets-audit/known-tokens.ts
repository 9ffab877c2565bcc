import { Lines } from '../config/excerpt.ts';
import type { Span } from '../config/finding.ts';
import { judgePassword } from './credentials.ts';
import { looksRandom } from './markers.ts';
import { ruleFindings } from './secretlint-rules.ts';
import { tokenForms, type TokenForm } from './token-forms.ts';

/** A token whose form says whose it is; the span is the token's alone. */
export interface KnownToken extends Span {
  /** 1-based. */
  readonly line: number;
  /** Such as `github` or `slack`. */
  readonly service: string;
  readonly isPlaceholder: boolean;
}

const urlPassword = /^[a-z][a-z0-9+.-]{0,31}:\/\/[^\s:/@]{0,256}:([^\s@/]{1,512})@/i;

/**
 * Tokens of well-known services, wherever they stand in a text: in comments too, and several in a line. In their order; none is
 * told twice. Undefined when `isLate` says so on the way.
 */
export async function knownTokens(text: string): Promise<KnownToken[]>;
export async function knownTokens(text: string, isLate: () => boolean): Promise<KnownToken[] | undefined>;
export async function knownTokens(text: string, isLate = () => false): Promise<KnownToken[] | undefined> {
  const lines = new Lines(text);
  let found = await ruleTokens(text);
  for (const form of tokenForms) {
    if (isLate()) return undefined;
    found = found.concat(formTokens(text, form));
  }
  const known: KnownToken[] = [];
  let end = 0;
  for (const one of found.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    // What two rules know is told by the one that starts first, and has more of it.
    if (one.start >= end) {
      known.push({ ...one, line: lines.position(one.start).line });
      end = one.end;
    }
  }
  return known;
}

type Found = Omit<KnownToken, 'line'>;

async function ruleTokens(text: string): Promise<Found[]> {
  return (await ruleFindings(text)).flatMap((one) => {
    const password = urlPassword.exec(text.slice(one.start, one.end))?.[1];
    const judged = password === undefined ? { isPlaceholder: false } : judgePassword(password);
    return judged === undefined ? [] : [Object.assign(one, judged)];
  });
}

function formTokens(text: string, { service, pattern, only }: TokenForm): Found[] {
  return Array.from(text.matchAll(pattern)).flatMap((match): Found[] => {
    const value = match.groups?.['value'] ?? match[0];
    const end = match.index + match[0].length;
    if ((only === 'digits' && !/\d/.test(value)) || (only === 'random' && !looksRandom(value))) return [];
    const judged = judgePassword(value);
    return judged === undefined ? [] : [{ start: end - value.length, end, service, ...judged }];
  });
}
