import { looksRandom } from '../secrets-audit/markers.ts';

/**
 * What it means that a value is found once more:
 *
 * - `random`: nobody writes it for another reason: it looks random to the audit, or it has 12 characters or more of at least 8
 *   kinds, and letters and digits in turn three times;
 * - `long`: as good, but it may be the name of something: 12 characters or more with letters and digits, or 20 of whatever, of at
 *   least 7 kinds, and no host or address;
 * - `maybe`: it has a letter and a digit, and 6 characters or more, as the audit looks for credentials in prose; or it has capital
 *   and small letters, and 12 characters or more;
 * - `word`: `admin`, `postgres`, `8080`: that it stands somewhere else says nothing.
 */
export type Weight = 'random' | 'long' | 'maybe' | 'word';

export function weightOf(value: string): Weight {
  const { length } = value;
  const kinds = new Set(value).size;
  if (looksRandom(value) || (length >= 12 && kinds >= 8 && turnsIn(value) >= 3)) return 'random';
  const isMixed = /[A-Za-z]/.test(value) && /\d/.test(value);
  if (kinds >= 7 && (length >= 20 || (length >= 12 && isMixed)) && !isAddress(value)) return 'long';
  if (length >= 6 && isMixed) return 'maybe';
  return length >= 12 && /[a-z]/.test(value) && /[A-Z]/.test(value) ? 'maybe' : 'word';
}

/** How often a letter stands beside a digit. Words with a year or a version behind them have it once or twice. */
function turnsIn(value: string): number {
  return value.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0;
}

/** `db.desk.example:5432`, `localhost:8080`, `desk@example.com`. */
function isAddress(value: string): boolean {
  return /^(?:[\w.+-]+@)?[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*(?::\d{1,5})?$/i.test(value) && /[.:@]/.test(value);
}
