/** What an actor has to be to be found: all of these. */
export interface Query {
  readonly terms: readonly Term[];
}

export type Term = { readonly isNot: boolean } & (
  | { readonly kind: 'text' | 'state' | 'tag' | 'is'; readonly text: string }
  | {
      readonly kind: 'context';
      readonly path: readonly string[];
      /** Absent: it is there, whatever it is. */
      readonly by?: Comparison;
      readonly text: string;
    }
);

export type Comparison = '=' | '!=' | '~' | '<' | '<=' | '>' | '>=';

/** What `is:` knows: phases of the runtime, and what is wrong. */
export const kindsOfIs = [
  'quarantined',
  'restarting',
  'starting',
  'stopping',
  'moving',
  'passive',
  'failed',
  'waiting',
  'full',
] as const;

const mostCharacters = 400;
const mostTerms = 12;

const word = String.raw`"(?:[^"\\]|\\.)*"|\S+`;
const patterns = {
  space: /\s*/y,
  not: /-(?=[a-z]+[:.])/y,
  context: new RegExp(String.raw`context\.([^\s=!<>~"]+)(?:\s*(=|!=|~|<=|<|>=|>)\s*(${word}))?`, 'y'),
  named: new RegExp(String.raw`(state|tag|is):(${word})`, 'y'),
  text: new RegExp(word, 'y'),
};

/**
 * Reads what somebody typed: `support/ state:thinking.tool -tag:idle is:failed context.customer = "acme ltd"`. A text
 * is a part of an address.
 *
 * @returns the query, or a sentence about what cannot be read
 */
export function parseQuery(typed: string): Query | string {
  if (typed.length > mostCharacters) return `A search has at most ${mostCharacters} characters.`;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(typed) ?? undefined;
    at += found?.[0].length ?? 0;
    return found;
  };
  const terms: Term[] = [];
  for (take(patterns.space); at < typed.length; take(patterns.space)) {
    if (terms.length === mostTerms) return `A search has at most ${mostTerms} terms.`;
    const isNot = take(patterns.not) !== undefined;
    const [, path, by, value = ''] = take(patterns.context) ?? [];
    if (path !== undefined) {
      const compared = by !== undefined && { by: by as Comparison };
      terms.push({ isNot, kind: 'context', path: path.split('.'), ...compared, text: unquoted(value) });
      continue;
    }
    const [, kind, text = ''] = take(patterns.named) ?? [];
    if (kind === 'is' && !kindsOfIs.some((known) => known === text))
      return `is: knows ${kindsOfIs.join(', ')}.`;
    if (kind !== undefined) terms.push({ isNot, kind: kind as 'state', text: unquoted(text) });
    else {
      const [plain = ''] = take(patterns.text) ?? [];
      if (/^(state|tag|is):$/.test(plain)) return `${plain} lacks what it is to be.`;
      if (/^([=~<>]|!=)/.test(plain))
        return 'context.customer = acme has a path on its left and a value on its right.';
      if (plain.startsWith('context.'))
        return 'A path in the context is context.customer, then = and a value.';
      terms.push({ isNot, kind: 'text', text: unquoted(plain).toLowerCase() });
    }
  }
  return { terms };
}

function unquoted(text: string): string {
  return text.startsWith('"') && text.endsWith('"') && text.length > 1
    ? text.slice(1, -1).replaceAll(/\\(.)/g, '$1')
    : text;
}
