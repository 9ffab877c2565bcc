import type { Lines } from '../config/excerpt.ts';
import type { Span } from '../config/finding.ts';
import { nameClass } from './credential-names.ts';
import { looksRandom } from './markers.ts';
import { listedTexts, namedTexts, type NamedText } from './named-texts.ts';
import type { NamedValue } from './named-value.ts';

/** Files of settings: a line is a name and its value, and no prose. */
const settings = /\.(?:ya?ml|toml|ini|cfg|conf|properties)(?:$|\.)/i;

/** Programs: what is not in quotes there is an expression of theirs. */
const code = /\.(?:[cm]?[jt]sx?|c|cc|cpp|cs|go|h|hpp|java|kt|php|py|rb|rs|scala|svelte|swift|vue)$/i;

/**
 * What has a name in a line of whatever it is: YAML, scripts, logs, comments. Words of prose and of code are left out: what has
 * no digit, is short, or is not in quotes and has brackets or members; but for a password that is a line of settings.
 */
export function valuesOfText(
  text: string,
  lines: Lines,
  within: Partial<Span> & { readonly file?: string } = {},
): NamedValue[] {
  const { start: from = 0, end = text.length, file = '' } = within;
  const piece = text.slice(from, end);
  return [...namedTexts(piece), ...listedTexts(piece)].flatMap((one): NamedValue[] => {
    const { name, raw, isQuoted } = one;
    const value = isQuoted ? raw.replace(/\\{1,3}$/, '') : withoutBrackets(raw);
    const isSetting = isConnection(piece, one) || (settings.test(file) && isLine(piece, one));
    if (!isSetting && isProse(value, isQuoted)) return [];
    const isExpression = !isQuoted && code.test(file) && !looksRandom(value);
    if (isExpression && (!isSetting || /^[A-Za-z_$!][\w$]*$/.test(value))) return [];
    const start = from + one.start;
    const span = { start, end: start + value.length };
    return [{ path: '', name, value, isLoose: true, line: lines.position(start).line, span }];
  });
}

/** `Server=…;Password=…;`: whatever it is there, it is no prose, and no program. */
function isConnection(piece: string, { name, raw, start, from, sign }: NamedText): boolean {
  if (sign !== '=' || nameClass(name) !== 'password' || !/^[^()[\]{}]{4,}$/.test(raw)) return false;
  const end = start + raw.length;
  return piece[from - 1] === ';' || /^;[ ]?[A-Za-z][\w ]{0,32}=/.test(piece.slice(end, end + 40));
}

/** `password: word`, and nothing else in its line. */
function isLine(piece: string, { name, raw, start, from, sign }: NamedText): boolean {
  if (sign === '' || nameClass(name) !== 'password') return false;
  const end = start + raw.length;
  const before = piece.slice(Math.max(0, from - 64), from);
  return (
    /(?:^|[\n\r])[ \t-]*(?:export )?$/.test(before) &&
    /^["'`]?[ \t]*(?:#|[\n\r]|$)/.test(piece.slice(end, end + 64))
  );
}

/** Without those that close what is open before it: `{token: value}`. */
function withoutBrackets(raw: string): string {
  return /[([{]/.test(raw) ? raw : raw.replace(/[)\]}]{1,8}$/, '');
}

function isProse(value: string, isQuoted: boolean): boolean {
  if (value.length < 6 || !/\d/.test(value)) return true;
  if (isQuoted) return /\$\{|\{\{|<%/.test(value);
  // `call(2)` and `list[1]`; not `${VARIABLE}`, which is looked at as what it is.
  if (/[(){}[\]<>]/.test(value)) return !/^\$\{\w{1,128}\}$/.test(value);
  // `user.token2`
  const isMember = /^[A-Za-z_$][\w$]{0,63}(?:\.[A-Za-z_$][\w$]{0,63}){1,8}$/.test(value);
  return isMember && !value.split('.').some(looksRandom);
}
