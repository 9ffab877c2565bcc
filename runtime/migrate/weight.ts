/**
 * What it means that a value is found once more:
 *
 * - `random`: nobody writes it for another reason: 12 characters or more, letters and digits in turn at least three times;
 * - `long`: as good, but words: 20 characters or more of at least 8 kinds, such as a pass phrase. It may be the name of a model;
 * - `maybe`: it has a letter and a digit, and 6 characters or more, as the audit looks for credentials in prose; or it has capital
 *   and small letters, and 12 characters or more;
 * - `word`: `admin`, `postgres`, `8080`: that it stands somewhere else says nothing.
 */
export type Weight = 'random' | 'long' | 'maybe' | 'word';

export function weightOf(value: string): Weight {
  const { length } = value;
  const kinds = new Set(value).size;
  if (length >= 12 && kinds >= 8 && turnsIn(value) >= 3) return 'random';
  if (length >= 20 && kinds >= 8) return 'long';
  const isMixed = /[A-Za-z]/.test(value) && /\d/.test(value);
  if (length >= 6 && isMixed) return 'maybe';
  return length >= 12 && /[a-z]/.test(value) && /[A-Z]/.test(value) ? 'maybe' : 'word';
}

/** How often a letter stands beside a digit. Words with a year or a version behind them have it once or twice. */
function turnsIn(value: string): number {
  return value.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0;
}
