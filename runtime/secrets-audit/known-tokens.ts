import { Lines } from '../config/excerpt.ts';
import type { Span } from '../config/finding.ts';
import { judgePassword } from './credentials.ts';
import { looksRandom } from './markers.ts';
import { tokenForms, type TokenForm } from './token-forms.ts';

/** A token whose form says whose it is; the span is the token's alone. */
export interface KnownToken extends Span {
  /** 1-based. */
  readonly line: number;
  /** Such as `github` or `slack`. */
  readonly service: string;
  readonly isPlaceholder: boolean;
}

const PREFIX = '@secretlint/secretlint-rule-';

/**
 * Tokens of well-known services, wherever they stand in a text: in comments too, and several in a line. In their order; none is
 * told twice. Undefined when `isLate` says so on the way.
 */
export async function knownTokens(text: string): Promise<KnownToken[]>;
export async function knownTokens(text: string, isLate: () => boolean): Promise<KnownToken[] | undefined>;
export async function knownTokens(text: string, isLate = () => false): Promise<KnownToken[] | undefined> {
  const lines = new Lines(text);
  const found = await ruleTokens(text);
  for (const form of tokenForms) {
    if (isLate()) return undefined;
    found.push(...formTokens(text, form));
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

/** The rules of secretlint, without the one that comments switch the others off with: an audit is not asked to look away. */
async function ruleTokens(text: string): Promise<Found[]> {
  const [{ lintSource }, { rules }] = await Promise.all([
    import('@secretlint/core'),
    import('@secretlint/secretlint-rule-preset-recommend'),
  ]);
  const { messages } = await lintSource({
    source: { filePath: 'text', content: text, contentType: 'text' },
    options: {
      config: {
        rules: rules
          .filter(({ meta: { id } }) => id !== `${PREFIX}filter-comments`)
          .map((rule) => ({ id: rule.meta.id, rule })),
      },
      noPhysicFilePath: true,
      maskSecrets: true,
    },
  });
  return messages.flatMap(({ ruleId, range: [start, end] }) => {
    const service = ruleId.replace(PREFIX, '').replaceAll('-', ' ');
    const password = /^[a-z][a-z0-9+.-]{0,31}:\/\/[^\s:/@]{0,256}:([^\s@/]{1,512})@/i.exec(
      text.slice(start, end),
    )?.[1];
    const judged = password === undefined ? { isPlaceholder: false } : judgePassword(password);
    return judged === undefined ? [] : [{ start, end, service, ...judged }];
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
