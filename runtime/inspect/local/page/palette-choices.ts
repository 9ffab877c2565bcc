/** What the palette offers. */
export interface Choice {
  readonly kind: 'deed' | 'view' | 'agent' | 'actor';
  readonly text: string;
  /** The key that does the same. */
  readonly key?: string;
  readonly run: () => void;
}

/** Choices that are shown; of more it is said how many there are. */
export const mostChoices = 50;

/** How well a word is found: at the beginning, at that of a part of the name, or within; undefined: not at all. */
function rank(text: string, word: string): number | undefined {
  const first = text.indexOf(word);
  if (first <= 0) return first === 0 ? 0 : undefined;
  for (let at = first; at !== -1; at = text.indexOf(word, at + 1))
    if (!/[a-z0-9]/.test(text[at - 1] ?? '')) return 1;
  return 2;
}

/** Those in which all words are, the best first, and their number in all. Ones that are as good stay in their order. */
export function matching(
  choices: Iterable<Choice>,
  typed: string,
): { readonly shown: readonly Choice[]; readonly total: number } {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const ranked: (readonly [choice: Choice, rank: number])[] = [];
  for (const choice of choices) {
    const text = choice.text.toLowerCase();
    const ranks = words.map((word) => rank(text, word));
    if (ranks.includes(undefined)) continue;
    ranked.push([choice, ranks.reduce<number>((sum, one) => sum + (one ?? 0), 0)]);
  }
  const shown = ranked.toSorted(([, one], [, other]) => one - other).slice(0, mostChoices);
  return { shown: shown.map(([choice]) => choice), total: ranked.length };
}
