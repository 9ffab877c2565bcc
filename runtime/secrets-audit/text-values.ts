import type { Lines } from '../config/excerpt.ts';
import type { Span } from '../config/finding.ts';
import { nameClass } from './credential-names.ts';
import { looksRandom } from './markers.ts';
import type { NamedValue } from './named-values.ts';

/** `--name value`; what comes next may be a variable with its own name. */
const option = String.raw`--(?<option>[A-Za-z][\w-]{0,63})[ \t]{1,8}(?![\w.-]{1,128}=)`;
/** `name:` and `"name" =`, also with the backslashes of a text in a text. */
const quote = String.raw`\\{0,3}["'${'`'}]`;
const named = String.raw`(?:${quote})?(?<name>[A-Za-z_][\w.-]{0,127})(?:${quote})?[ \t]{0,32}(?<sign>[:=])(?!//)[ \t]{0,32}`;
const quoted = ['"', "'", '`'].map((one, n) => String.raw`\\{0,3}${one}(?<quoted${n}>[^${one}\n\r]{1,4096})`);
const plain = String.raw`(?<plain>(?![{[(])[^\s"'${'`'},;&\\]{1,4096})`;

/**
 * Names with what follows them. The value is the last of it. Each quantifier is bounded, and no name is tried in the middle of a
 * word: the time that it takes grows with the text alone.
 */
export const namedPattern = new RegExp(
  String.raw`(?<![\w.])(?<!\w-)(?:${option}|${named})(?:${[...quoted, plain].join('|')})`,
  'g',
);

/** Files of settings: a line is a name and its value, and no prose. */
const settings = /\.(?:ya?ml|toml|ini|cfg|conf|properties)(?:$|\.)/i;

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
  const found: NamedValue[] = [];
  const pattern = new RegExp(namedPattern);
  for (let match = pattern.exec(piece); match !== null; match = pattern.exec(piece)) {
    const groups = match.groups ?? {};
    const name = groups['name'] ?? groups['option'] ?? '';
    const inQuotes = groups['quoted0'] ?? groups['quoted1'] ?? groups['quoted2'];
    const raw = inQuotes ?? groups['plain'] ?? '';
    const start = match.index + match[0].length - raw.length;
    // There may be names in it, with the other quotes around what they name.
    if (inQuotes !== undefined) pattern.lastIndex = start;
    const value = inQuotes === undefined ? withoutBrackets(raw) : raw.replace(/\\{1,3}$/, '');
    const place: Place = { piece, match, name, end: start + raw.length };
    if (
      isProse(value, inQuotes !== undefined) &&
      !isConnection(place) &&
      !(settings.test(file) && isLine(place))
    )
      continue;
    const at = from + start;
    const span = { start: at, end: at + value.length };
    found.push({ path: '', name, value, isLoose: true, line: lines.position(at).line, span });
  }
  return found;
}

interface Place {
  readonly piece: string;
  readonly match: RegExpExecArray;
  readonly name: string;
  readonly end: number;
}

/** `Server=…;Password=…;`: whatever it is there, it is no prose. */
function isConnection({ piece, match, name, end }: Place): boolean {
  const isBetween = piece[match.index - 1] === ';' || piece[end] === ';';
  return isBetween && match.groups?.['sign'] === '=' && nameClass(name) === 'password';
}

/** `password: word`, and nothing else in its line. */
function isLine({ piece, match, name, end }: Place): boolean {
  const before = piece.slice(Math.max(0, match.index - 64), match.index);
  const after = piece.slice(end, end + 64);
  return (
    nameClass(name) === 'password' &&
    /(?:^|[\n\r])[ \t-]*(?:export )?$/.test(before) &&
    /^["'`]?[ \t]*(?:#|[\n\r]|$)/.test(after)
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
