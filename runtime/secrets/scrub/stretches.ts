const DIGITS = 1;
const LISTS = 2;
const RUN_TAIL = 4;
const LIST_TAIL = 8;
const BESIDE = 16;

/** The classes of each unit, and none for all that do not fit. */
const classes = new Uint8Array(0x101);
function mark(units: string, kind: number): void {
  for (const unit of Buffer.from(units, 'latin1')) classes[unit] = (classes[unit] ?? 0) | kind;
}
const hexDigits = '0123456789abcdefABCDEF';
const words = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_';
const spaces = ' \t\n\v\f\r\xa0';
mark(`${words}+/-\r\n`, DIGITS);
// In a form a plus sign stands for a space.
mark(`${hexDigits}xX"${spaces}:,-+`, LISTS);
// And what escapes have before their end, except for names.
mark(`${words}+/-\r\n\\%&#;`, RUN_TAIL);
mark(`${hexDigits}xX"${spaces}:,-+\\%&#;'\`{nuU`, LIST_TAIL);

// What escapes, lists and what is packed have.
mark(`${words}+/-\r\n${spaces}:,\\%&#;'"\`{}`, BESIDE);

function isOf(kind: number, text: string, at: number): boolean {
  return ((classes[Math.min(text.charCodeAt(at), 0x100)] as number) & kind) !== 0;
}

/** Whether the text has that many units of a class beside each other. Looks at few units of most texts. */
function hasStretch(kind: number, text: string | Buffer, units: number): boolean {
  if (typeof text !== 'string') return hasStretchOfBytes(kind, text, units);
  for (let start = 0; start + units <= text.length;) {
    let at = start + units - 1;
    while (at >= start && isOf(kind, text, at)) at -= 1;
    if (at < start) return true;
    start = at + 1;
  }
  return false;
}

function hasStretchOfBytes(kind: number, bytes: Buffer, count: number): boolean {
  for (let start = 0; start + count <= bytes.length;) {
    let at = start + count - 1;
    while (at >= start && ((classes[bytes[at] as number] as number) & kind) !== 0) at -= 1;
    if (at < start) return true;
    start = at + 1;
  }
  return false;
}

interface Searched {
  mayHave(unit: number): boolean;
  readonly shortest: number;
}

/**
 * The end of the units around an escape that can be of a value, escaped or not, where they have no room for one;
 * `undefined` where they have. At the end of a text there always is room: it may go on.
 */
export function endOfFew(
  text: string | Buffer,
  from: number,
  to: number,
  searched: Searched,
): number | undefined {
  const { shortest } = searched;
  let [start, end] = [from, to];
  while (start > 0 && end - start < shortest && mayBeBeside(unitOf(text, start - 1), searched)) start -= 1;
  while (end < text.length && end - start < shortest && mayBeBeside(unitOf(text, end), searched)) end += 1;
  return end < text.length && end - start < shortest ? end : undefined;
}

/** The place behind the last unit that no value has, escaped or not; 0 when there is none. */
export function lastBorder(text: string, searched: Searched): number {
  let at = text.length;
  while (at > 0 && mayBeBeside(text.charCodeAt(at - 1), searched)) at -= 1;
  return at;
}

function mayBeBeside(unit: number, searched: Searched): boolean {
  return ((classes[Math.min(unit, 0x100)] as number) & BESIDE) !== 0 || searched.mayHave(unit);
}

function unitOf(text: string | Buffer, at: number): number {
  return typeof text === 'string' ? text.charCodeAt(at) : (text[at] as number);
}

/** Whether the text may have a run of that many digits of base64, in lines or not. */
export function hasDigits(text: string | Buffer, count: number): boolean {
  return hasStretch(DIGITS, text, count);
}

/** Whether the text may have that many units of a list, with spaces or other signs for them. */
export function hasListUnits(text: string | Buffer, units: number): boolean {
  return hasStretch(LISTS, text, units);
}

/** Whether the text may have a list of that many bytes, in hex or decimal. */
export function hasList(text: string, bytes: number): boolean {
  return hasListUnits(text, bytes * 2 - 1);
}

/** The place of the last units of a text that may be a part of a list. */
export function listTailOf(text: string): number {
  return beginOf(LISTS, text, text.length);
}

/**
 * The place from which on a text without a long list has to be read when it is held back from `place` on, which may be
 * its end: there an escape or a list may go on. The text's length when none does.
 */
export function tailOf(text: string, place: number): number {
  let start = beginOf(LIST_TAIL, text, place);
  if (start > 0 && isName(text.charCodeAt(start - 1))) {
    const name = CUT_NAME.exec(text.slice(Math.max(0, start - LONGEST_NAME), start));
    if (name !== null) start = tailOf(text, start - name[0].length);
  }
  if (start === text.length || place < text.length) return start;
  const tail = text.slice(start);
  return ESCAPE_MARK.test(tail) || LIST_END.test(tail) ? start : place;
}

/** The place of bytes, from `from` on, behind which no escape, list or run goes on; near to it in any case. */
export function endOfTail(bytes: Buffer, from: number): number {
  const last = Math.min(bytes.length, from + FAR);
  let end = from;
  while (end < last && ((classes[bytes[end] as number] as number) & (RUN_TAIL | LIST_TAIL)) !== 0) end += 1;
  return Math.min(bytes.length, end + 1);
}

const FAR = 512;

function beginOf(kind: number, text: string, place: number): number {
  let start = place;
  while (start > 0 && isOf(kind, text, start - 1)) start -= 1;
  return start;
}

/** An ampersand and the name of a character, or its first letters. */
const CUT_NAME = /&[A-Za-z0-9]*$/;
const LONGEST_NAME = 8;

function isName(unit: number): boolean {
  return (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a;
}

const ESCAPE_MARK = /[\\%&']|"[\d\s":,]*$/;
const LIST_END = /[0-9A-Fa-f]x?[\s:,+-]*$/;
