import type { EncodedState } from '../durable-store.ts';

/** Begins a text that is not written as it is. */
const MARK = '\u0002';

/** A text as it stands in a column of type `text`, which takes no NUL and no half of a character. */
export function toText(text: string): string {
  return text.includes('\0') || text.startsWith(MARK) || !text.isWellFormed() ? MARK + asAscii(text) : text;
}

export function fromText(column: string): string {
  return column.startsWith(MARK) ? (JSON.parse(column.slice(MARK.length)) as string) : column;
}

/** In JSON, whose own escapes are escaped once more. */
function asAscii(text: string): string {
  return JSON.stringify(text);
}

const TEXT = 1;
const BYTES = 0;

/** Writes a large value as it stands in a column; returns its length. */
export function toValue(value: EncodedState, into: Buffer, offset: number): number {
  if (typeof value === 'string') {
    into[offset] = TEXT;
    return 1 + into.write(value, offset + 1);
  }
  into[offset] = BYTES;
  into.set(value, offset + 1);
  return 1 + value.byteLength;
}

export function fromValue(column: Buffer): EncodedState {
  return column[0] === TEXT ? column.toString('utf8', 1) : new Uint8Array(column.subarray(1));
}
