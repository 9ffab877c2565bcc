import type { Span } from '../config/finding.ts';
import { wordsOf } from './known-services.ts';
import { joined, replaced } from './spans.ts';
import { weightOf, type Weight } from './weight.ts';

/** What is found of values in a text that is not their place. */
export interface Sighting {
  /** What has to leave the text: it can be nothing but one of the values. */
  readonly cuts: readonly Span[];
  /** Whether something is left that is one of the values, and may be written for another reason. */
  readonly isDoubtful: boolean;
}

/** Looks for values that have left a config. */
export interface Search {
  /** `name` is that of the text, if it has one. */
  in(content: string, name?: string): Sighting;
  /** A message without the values in it. */
  readonly hide: (message: string) => string;
  /** Whether all of a text is one of the values, and can be nothing else. */
  has(content: string, name?: string): boolean;
}

/** What a name ends with when it is what something is called: a text under it is rather that than a credential. */
const NAMES: ReadonlySet<string> = new Set(
  (
    'id name label title model models primary fallback fallbacks provider api type mode kind format channel account user ' +
    'username host hostname region thread agent'
  ).split(' '),
);

/**
 * Values are looked for as they are, and as JSON and URLs write them. A value that is a word is never looked for, one that may be
 * written for another reason is left where it stands; see `weightOf`.
 */
export function searchFor(values: readonly string[]): Search {
  const wanted = [...new Set(values)]
    .map((value) => ({ value, weight: weightOf(value), forms: formsOf(value) }))
    .filter(({ weight }) => weight !== 'word')
    .toSorted((a, b) => b.value.length - a.value.length);
  const search: Search = {
    in: (content, name = '') => {
      const cuts: Span[] = [];
      let isDoubtful = false;
      for (const { weight, forms } of wanted) {
        const found = forms.flatMap((form) => placesOf(content, form));
        if (found.length === 0) continue;
        if (isSure(weight, name)) cuts.push(...found);
        else isDoubtful ||= found.some((span) => isWhole(content, span));
      }
      return { cuts: joined(cuts), isDoubtful };
    },
    hide: (message) =>
      replaced(
        message,
        search.in(message).cuts.map(({ start, end }) => ({ start, end, text: '…' })),
      ),
    has: (content, name = '') =>
      wanted.some(({ value, weight }) => value === content && isSure(weight, name)),
  };
  return search;
}

function isSure(weight: Weight, name: string): boolean {
  return weight === 'random' || (weight === 'long' && !NAMES.has(wordsOf(name).at(-1) ?? ''));
}

function formsOf(value: string): string[] {
  const inJson = JSON.stringify(value).slice(1, -1);
  // Half a surrogate pair has no form in a URL.
  const inUrl = value.isWellFormed() ? [encodeURIComponent(value)] : [];
  return [...new Set([value, inJson, JSON.stringify(inJson).slice(1, -1), ...inUrl])];
}

function placesOf(content: string, form: string): Span[] {
  const found: Span[] = [];
  for (let at = content.indexOf(form); at >= 0; at = content.indexOf(form, at + form.length)) {
    found.push({ start: at, end: at + form.length });
  }
  return found;
}

/** Whether what was found is no piece of a longer word. */
function isWhole(content: string, { start, end }: Span): boolean {
  const isWord = (char: string): boolean => /^\w$/.test(char);
  return !isWord(content.charAt(start - 1)) && !isWord(content.charAt(end));
}
