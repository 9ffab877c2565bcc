import type * as zlib from 'node:zlib';

/** Loaded with the first row: not every program has a store. */
let crc32: typeof zlib.crc32 | undefined;

/** A value as it stands in a column. */
export type Column = string | number | Uint8Array | null;

/**
 * The CRC-32 of a row, over what stands in its columns: SQLite has no checksums of its own, and hands out a page that has
 * gone bad as it is.
 */
export function checksum(small: readonly Column[], ...large: readonly Column[]): number {
  crc32 ??= process.getBuiltinModule('node:zlib').crc32;
  let crc = crc32(small.join('\u0000'));
  for (const one of large) {
    // The same characters as text and as bytes are not the same.
    if (typeof one === 'string') crc = crc32(one, crc32('t', crc));
    else if (!(one instanceof Uint8Array)) crc = crc32(String(one), crc);
    else {
      crc = crc32('b', crc);
      // Of no bytes Node 22 may give the checksum 0.
      if (one.length > 0) crc = crc32(one, crc);
    }
  }
  return crc;
}
