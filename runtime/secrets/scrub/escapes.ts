/** The ways in which programs write a character so that another format takes it. */
export type EscapeKind = 'percent' | 'backslash' | 'entity' | 'apostrophe' | 'quote';

/** The first character of an escape of each kind. */
export const markOf: Readonly<Record<EscapeKind, string>> = {
  percent: '%',
  backslash: '\\',
  entity: '&',
  apostrophe: "'",
  quote: '"',
};

/** The bits that the length takes in a result of {@link escapeAt}. */
const LENGTH_BITS = 7;

/** The code point that an escape stands for. */
export function codeOf(escape: number): number {
  return escape >> LENGTH_BITS;
}

/** The number of characters of an escape. */
export function lengthOf(escape: number): number {
  return escape & ((1 << LENGTH_BITS) - 1);
}

function escapeOf(code: number, length: number): number {
  return (code << LENGTH_BITS) | length;
}

/**
 * The escape that begins at `at`, where its mark stands ({@link codeOf}, {@link lengthOf}); 0 when there is none. A
 * number, because texts have many of them.
 */
export function escapeAt(kind: EscapeKind, text: string, at: number): number {
  if (kind === 'percent') return percentAt(text, at);
  if (kind === 'backslash') return backslashAt(text, at);
  return kind === 'entity' ? entityAt(text, at) : quoteAt(text, at, markOf[kind]);
}

/** The beginnings of escapes that are not whole yet, or may be longer. */
const cutEscapes: Readonly<Record<EscapeKind, RegExp>> = {
  percent: /^%(?:[0-9A-Fa-f]?|[uU][0-9A-Fa-f]{0,3})$/,
  backslash:
    /^\\(?:|u[0-9A-Fa-f]{0,3}|u[dD][89abAB][0-9A-Fa-f]{2}(?:\\(?:u[0-9A-Fa-f]{0,3})?)?|u\{[0-9A-Fa-f]*|x[0-9A-Fa-f]?|U[0-9A-Fa-f]{0,7}|[0-3][0-7]?|n(?:['"`](?: (?:\+(?:\n *)?)?)?)?)$/,
  entity: /^&(?:[A-Za-z0-9]{0,7}|#\d*|#[xX][0-9A-Fa-f]*)$/,
  apostrophe: /^'(?:\\'?|"(?:'"?)?)?$/,
  quote: /^"$/,
};

/** Whether what begins at `at`, where a mark stands, may be another escape when more of the text has come. */
export function isCutEscape(kind: EscapeKind, text: string, at: number): boolean {
  return text.length - at < LONGEST && cutEscapes[kind].test(text.slice(at));
}

/** A doubled quote, as in SQL, YAML and CSV; an apostrophe as shells write it within apostrophes: `'\''`, `'"'"'`. */
function quoteAt(text: string, at: number, quote: string): number {
  const code = quote.charCodeAt(0);
  if (text[at + 1] === quote) return escapeOf(code, 2);
  if (quote !== "'") return 0;
  if (text.startsWith("'\\''", at)) return escapeOf(code, 4);
  return text.startsWith(`'"'"'`, at) ? escapeOf(code, 5) : 0;
}

/** `%2B`, and `%u002B` as JavaScript's `escape` writes it. */
function percentAt(text: string, at: number): number {
  const byte = hexAt(text, at + 1, 2);
  if (byte >= 0) return escapeOf(byte, 3);
  const unit = isU(text.charCodeAt(at + 1)) ? hexAt(text, at + 2, 4) : -1;
  return unit < 0 ? 0 : escapeOf(unit, 6);
}

/**
 * An escape of JSON, JavaScript, Python, Go, C or a shell: `\n`, `\/`, `\x2b`, `\u002b`, `\u{2b}`, `\U0000002b`,
 * `\053`. Any other character after a backslash stands for itself.
 */
function backslashAt(text: string, at: number): number {
  const next = text.charCodeAt(at + 1);
  if (Number.isNaN(next)) return 0;
  const short = next < 128 ? (shortEscapes[next] ?? 0) : 0;
  if (short !== 0) return escapeOf(short, 2 + (short === LF ? foldAt(text, at + 2) : 0));
  if (next === U) {
    const unit = hexAt(text, at + 2, 4);
    if (unit >= 0) return escapeOf(unit, 6);
    return text[at + 2] === '{' ? digitsAt(text, at, at + 3, '}', 16) : escapeOf(next, 2);
  }
  const digits = next === X ? 2 : next === BIG_U ? 8 : 0;
  const code = digits === 0 ? -1 : hexAt(text, at + 2, digits);
  if (code >= 0 && code <= LAST_CODE) return escapeOf(code, 2 + digits);
  if (next >= ZERO && next <= ZERO + 3) {
    const [second, third] = [text.charCodeAt(at + 2) - ZERO, text.charCodeAt(at + 3) - ZERO];
    if (second >= 0 && second < 8 && third >= 0 && third < 8)
      return escapeOf((next - ZERO) * 64 + second * 8 + third, 4);
  }
  return escapeOf(next, 2);
}

/**
 * The characters between two lines of a text that is shown in several, as Node shows one in an object: `' +` and,
 * indented, `'`.
 */
function foldAt(text: string, at: number): number {
  const quote = text.charCodeAt(at);
  if ((quote !== 0x27 && quote !== 0x22 && quote !== 0x60) || !text.startsWith(' +\n', at + 1)) return 0;
  let end = at + 4;
  while (text.charCodeAt(end) === 0x20 && end - at < LONGEST - 8) end += 1;
  return text.charCodeAt(end) === quote ? end + 1 - at : 0;
}

/** `&#43;`, `&#x2B;`, and HTML's names for ASCII and Latin-1. */
function entityAt(text: string, at: number): number {
  if (text[at + 1] === '#') {
    const isHex = text[at + 2] === 'x' || text[at + 2] === 'X';
    return isHex ? digitsAt(text, at, at + 3, ';', 16) : digitsAt(text, at, at + 2, ';', 10);
  }
  // No further than a name goes, because there may be many ampersands and no semicolon.
  const near = text.slice(at + 1, at + 2 + LONGEST_NAME);
  const length = near.indexOf(';');
  const code = length < 0 ? undefined : names.get(near.slice(0, length));
  return code === undefined ? 0 : escapeOf(code, length + 2);
}

/** Digits from `from` up to `close`, of an escape that begins at `at`. */
function digitsAt(text: string, at: number, from: number, close: string, radix: 10 | 16): number {
  let code = 0;
  for (let i = from; i - at < LONGEST - 1; i += 1) {
    if (text[i] === close) return i === from ? 0 : escapeOf(code, i + 1 - at);
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0 || digit >= radix) return 0;
    code = code * radix + digit;
    if (code > LAST_CODE) return 0;
  }
  return 0;
}

/** Exactly `count` hex digits; -1 when there are fewer. */
function hexAt(text: string, at: number, count: number): number {
  let code = 0;
  for (let i = at; i < at + count; i += 1) {
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  return code;
}

function hexDigit(unit: number): number {
  if (unit >= ZERO && unit <= ZERO + 9) return unit - ZERO;
  // The same letter in lower case.
  const low = unit | 0x20;
  return low >= 0x61 && low <= 0x66 ? low - 0x57 : -1;
}

/** The character for which a backslash and that unit stand where nothing behind them counts; 0 where something does. */
export function shortCodeOf(unit: number): number {
  if (unit >= 128 || unit === 0 || unit === U || unit === BIG_U || unit === X) return 0;
  if (unit >= ZERO && unit <= ZERO + 3) return 0;
  return shortEscapes[unit] || unit;
}

function isU(unit: number): boolean {
  return (unit | 0x20) === U;
}

const [LF, ZERO, U, BIG_U, X] = [0x0a, 0x30, 0x75, 0x55, 0x78];
const LAST_CODE = 0x10ffff;
/** The most characters of an escape; no real one needs as many. */
export const LONGEST = 1 << LENGTH_BITS;

/** Indexed by letter. */
const shortEscapes = new Uint8Array(128);
for (const [letter, code] of Object.entries({ a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 }))
  shortEscapes[letter.charCodeAt(0)] = code;

const names = new Map<string, number>(
  Object.entries({
    Tab: '\t',
    NewLine: '\n',
    excl: '!',
    quot: '"',
    QUOT: '"',
    num: '#',
    dollar: '$',
    percnt: '%',
    amp: '&',
    AMP: '&',
    apos: "'",
    lpar: '(',
    rpar: ')',
    ast: '*',
    midast: '*',
    plus: '+',
    comma: ',',
    period: '.',
    sol: '/',
    colon: ':',
    semi: ';',
    lt: '<',
    LT: '<',
    equals: '=',
    gt: '>',
    GT: '>',
    quest: '?',
    commat: '@',
    lsqb: '[',
    lbrack: '[',
    bsol: '\\',
    rsqb: ']',
    rbrack: ']',
    Hat: '^',
    lowbar: '_',
    grave: '`',
    lcub: '{',
    lbrace: '{',
    verbar: '|',
    vert: '|',
    rcub: '}',
    rbrace: '}',
  }).map(([name, character]) => [name, character.charCodeAt(0)]),
);
/** From U+00A0 to U+00FF. */
const latin1 =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml';
for (const [at, name] of latin1.split(' ').entries()) names.set(name, 0xa0 + at);
const LONGEST_NAME = 7;
