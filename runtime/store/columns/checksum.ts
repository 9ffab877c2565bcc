import type * as zlib from 'node:zlib';

/** Loaded with the first row: not every program has a store. */
let loaded: typeof zlib | undefined;

/** A value as it stands in a column. */
export type Column = string | number | Uint8Array | null;

/** The most characters that are put to those before them: a call for each part takes longer than to copy so few. */
const FEW = 16 * 1024;

/**
 * The CRC-32 of a row, over what stands in its columns: SQLite has no checksums of its own, and hands out a page that has
 * gone bad as it is.
 */
export function checksum(small: readonly Column[], ...large: readonly Column[]): number {
  const { crc32 } = (loaded ??= process.getBuiltinModule('node:zlib'));
  let text = small.join('\u0000');
  let crc = 0;
  for (const one of large) {
    // The same characters as text and as bytes are not the same.
    if (typeof one === 'string') {
      text += 't';
      if (one.length <= FEW) text += one;
      else {
        crc = crc32(one, crc32(text, crc));
        text = '';
      }
    } else if (!(one instanceof Uint8Array)) text += String(one);
    else {
      crc = crc32(`${text}b`, crc);
      text = '';
      // Of no bytes Node 22 may give the checksum 0.
      if (one.length > 0) crc = crc32(one, crc);
    }
  }
  return text === '' ? crc : crc32(text, crc);
}
