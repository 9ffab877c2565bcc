import { hasEscapedLists } from './byte-lists.ts';
import { codeOf, escapeAt, lengthOf, LONGEST, markOf, shortCodeOf, type EscapeKind } from './escapes.ts';
import { endOfFew } from './stretches.ts';

/** The properties of the searched values that decide which escapes are worth reading. */
export interface Wanted {
  /** Whether a searched value may have that UTF-16 unit. */
  mayHave(unit: number): boolean;
  /** Whether a searched form may begin with that UTF-16 unit. */
  mayBegin(unit: number): boolean;
  /** Whether a searched value may have a space, for which forms have a plus sign. */
  readonly hasSpace: boolean;
  /** The UTF-16 units of the shortest searched form. */
  readonly shortest: number;
}

/**
 * Whether a text may have a value, or the beginning of one, when it is read without the escapes of a kind. An escape is
 * worth that when it stands for a unit of a value or for the mark of another escape, and when what stands beside it is
 * long enough for a value.
 */
export function isWorthReading(text: string, kind: EscapeKind, wanted: Wanted): boolean {
  const mark = kind === 'quote' ? '""' : markOf[kind];
  let at = text.indexOf(mark);
  // Most texts have quotes.
  if (at < 0 || (kind === 'apostrophe' && !wanted.mayHave(APOSTROPHE))) return false;
  if (kind !== 'apostrophe' && hasEscapedLists(text)) return true;
  while (at >= 0) {
    const found = escapeAt(kind, text, at);
    let end = at + Math.max(1, lengthOf(found));
    if (found > 0 && isWanted(codeOf(found), wanted)) {
      const few = endOfFew(text, at, end, wanted);
      if (few === undefined) return true;
      end = few;
    }
    at = text.indexOf(mark, end);
  }
  return false;
}

/** Whether {@link isWorthReading} may be true of bytes, which are a character each. Faster. */
export function mayBeWorth(bytes: Buffer, kind: 'backslash' | 'percent' | 'entity', wanted: Wanted): boolean {
  const mark = markOf[kind].charCodeAt(0);
  for (let at = bytes.indexOf(mark); at >= 0;) {
    const short = kind === 'backslash' ? shortCodeOf(bytes[at + 1] ?? 0) : 0;
    const found = short > 0 ? 0 : escapeAt(kind, bytes.toString('latin1', at, at + LONGEST), 0);
    const code = short > 0 ? short : codeOf(found);
    let end = at + (short > 0 ? 2 : Math.max(1, lengthOf(found)));
    if ((short > 0 || found > 0) && (isOfList(bytes[at - 1] ?? 0, code) || isWanted(code, wanted))) {
      const few = endOfFew(bytes, at, end, wanted);
      if (few === undefined) return true;
      end = few;
    }
    at = bytes.indexOf(mark, end);
  }
  return false;
}

function isWanted(code: number, wanted: Wanted): boolean {
  return code > 0xffff || isMark(code, wanted) || wanted.mayHave(code);
}

/** Whether an escape of that character behind that unit may belong to a list, as {@link hasEscapedLists} has them. */
function isOfList(before: number, code: number): boolean {
  if (code === QUOTE) return before === ONE;
  return (code === LF || code === CR) && (before === COMMA || (before | 0x20) === C);
}

/** Whether escapes begin with the unit or contain it, since an escape may stand for a character of another. */
function isMark(code: number, wanted: Wanted): boolean {
  if (code === BACKSLASH || code === PERCENT || code === AMPERSAND) return true;
  return code === PLUS ? wanted.hasSpace : code === QUOTE && wanted.mayHave(APOSTROPHE);
}

const [QUOTE, PERCENT, AMPERSAND, APOSTROPHE, PLUS, COMMA] = [0x22, 0x25, 0x26, 0x27, 0x2b, 0x2c];
const [LF, CR, ONE, BACKSLASH, C] = [0x0a, 0x0d, 0x31, 0x5c, 0x63];
