import { nameClass } from './credential-names.ts';

/** A name in a text with what follows it. */
export interface NamedText {
  readonly name: string;
  /** As it stands there, without its quotes. */
  readonly raw: string;
  readonly start: number;
  readonly isQuoted: boolean;
  /** Where the name starts, or what stands before it. */
  readonly from: number;
  /** What is between the two; empty for other forms than `name: value`. */
  readonly sign: string;
}

const word = String.raw`[A-Za-z_][\w.-]{0,127}`;
const quote = String.raw`\\{0,3}["'${'`'}]`;
const edge = String.raw`(?<![\w.])(?<!\w-)`;

/** `--name value` and `ENV NAME value`; what comes next may be a variable with its own name. */
const option = String.raw`(?:--|ENV[ \t]{1,8})(?<option>[A-Za-z][\w-]{0,63})[ \t]{1,8}(?![\w.-]{1,128}=)`;
/** `name:` and `"name" =`, also with the backslashes of a text in a text. */
const named = String.raw`(?:${quote})?(?<name>${word})(?:${quote})?[ \t]{0,32}(?<sign>:=|=>|[:=](?!//))[ \t]{0,32}`;
const tag = String.raw`<(?<tag>${word})>`;
const quoted = ['"', "'", '`'].map((one, n) => String.raw`\\{0,3}${one}(?<quoted${n}>[^${one}\n\r]{1,4096})`);
const plain = String.raw`(?<plain>(?![{[(])[^\s"'${'`'},;&<\\]{1,512})`;

/**
 * Names with what follows them. The value is the last of it. Each quantifier is bounded, and no name is tried in the middle of a
 * word: the time that it takes grows with the text alone.
 */
export const namedPattern = new RegExp(
  `${edge}(?:${option}|${named}|${tag})(?:${[...quoted, plain].join('|')})`,
  'g',
);

/** What has a name in a text; names in what another name has, too. */
export function namedTexts(text: string): NamedText[] {
  const found: NamedText[] = [];
  const pattern = new RegExp(namedPattern);
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const groups = match.groups ?? {};
    const name = groups['name'] ?? groups['option'] ?? groups['tag'] ?? '';
    const inQuotes = groups['quoted0'] ?? groups['quoted1'] ?? groups['quoted2'];
    const raw = inQuotes ?? groups['plain'] ?? '';
    const start = match.index + match[0].length - raw.length;
    found.push({
      name,
      raw,
      start,
      isQuoted: inQuotes !== undefined,
      from: match.index,
      sign: groups['sign'] ?? '',
    });
    // `cmd: NAME=value`, `$env:NAME = value`
    const next = text.slice(start + raw.length, start + raw.length + 9);
    const isName = /^[A-Za-z_][\w.-]{2,63}(?==|$)/.exec(raw)?.[0];
    const isNamed = isName !== undefined && (isName !== raw || /^[ \t]{0,8}=/.test(next));
    if (inQuotes !== undefined || isNamed) pattern.lastIndex = start;
  }
  return found;
}

/** `names:` with a list below it, or in brackets. */
export const listPattern = new RegExp(
  String.raw`${edge}["']?(?<name>${word})["']?[ \t]{0,8}[:=][ \t]{0,8}(?:\[|(?:#[^\n]{0,256})?\r?\n(?=[ \t]{0,64}- ))`,
  'g',
);
/** `name: NAME` with `value: …` beside it, as Kubernetes and others have variables. */
export const pairPattern = new RegExp(
  String.raw`${edge}["']?(?:name|key)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?<name>${word})["']?[ \t]{0,8},?\s{1,64}["']?value["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?<value>[^\s"']{1,4096})`,
  'g',
);
const item = String.raw`(?:"([^"\n\r]{1,4096})"|'([^'\n\r]{1,4096})'|([^\s"',#\]]{1,4096}))`;
const below = new RegExp(
  String.raw`[ \t]{0,64}-[ \t]{1,8}${item}[ \t]{0,64}(?:#[^\n]{0,256})?(?:\r?\n|$)`,
  'y',
);
const inBrackets = new RegExp(String.raw`[\s,]{0,64}${item}`, 'y');

/** What has a name in lists, and in pairs of a name and a value. */
export function listedTexts(text: string): NamedText[] {
  const found: NamedText[] = [];
  const add = (name: string, raw: string, start: number, isQuoted: boolean): void => {
    found.push({ name, raw, start, isQuoted, from: start, sign: '' });
  };
  for (const match of text.matchAll(listPattern)) {
    const name = match.groups?.['name'] ?? '';
    if (nameClass(name) === undefined) continue;
    const pattern = match[0].endsWith('[') ? inBrackets : below;
    pattern.lastIndex = match.index + match[0].length;
    for (let next = pattern.exec(text); next !== null; next = pattern.exec(text)) {
      const raw = next[1] ?? next[2] ?? next[3] ?? '';
      add(name, raw, next.index + next[0].indexOf(raw), next[3] === undefined);
    }
  }
  for (const match of text.matchAll(pairPattern)) {
    const { name = '', value = '' } = match.groups ?? {};
    add(name, value, match.index + match[0].length - value.length, false);
  }
  return found;
}
