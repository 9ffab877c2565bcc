import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { property } from '../config/finding.ts';

/** How a file was written. */
export type Way = 'replaced' | 'in place';

/**
 * What a rename over a file fails with where the file itself can be written: a file that is mounted alone, as containers do it, and
 * a folder in which nothing may be made.
 */
const IN_PLACE = new Set(['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS']);

/**
 * Gives a file another content: by a rename, or in place where that is not possible. What fails in the middle of the latter is put
 * back to what was there `before`; that is absent for a new file.
 *
 * @throws {Error} with the name of the file, and why it cannot be written
 */
export async function replaceFile(
  file: string,
  content: Uint8Array,
  { mode, before }: { readonly mode?: number | undefined; readonly before?: Uint8Array | undefined },
): Promise<Way> {
  try {
    await writeFileAtomic(file, Buffer.from(content), mode === undefined ? {} : { mode });
    return 'replaced';
  } catch (error) {
    const isPossible = before !== undefined && IN_PLACE.has(String(property(error, 'code')));
    if (!isPossible) throw unwritable(file, error);
  }
  try {
    await writeInPlace(file, content, mode);
    return 'in place';
  } catch (error) {
    await writeInPlace(file, before, undefined).catch(() => undefined);
    throw unwritable(file, error);
  }
}

async function writeInPlace(file: string, content: Uint8Array, mode: number | undefined): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.writeFile(content);
    await handle.truncate(content.byteLength);
    if (mode !== undefined) await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const WHY: Readonly<Record<string, string>> = {
  EROFS: 'its file system is read-only',
  EACCES: 'this user may not write it',
  EPERM: 'this user may not write it',
  EBUSY: 'another program or a mount holds it',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
};

/** Why a file cannot be written, in words. */
export function unwritable(file: string, cause: unknown): Error {
  const found = property(cause, 'code');
  const code = typeof found === 'string' ? found : 'unknown cause';
  const why = WHY[code] ?? 'the system refuses it';
  return Object.assign(
    new Error(`${basename(file)} cannot be written: ${why} (${code}, ${file})`, { cause }),
    {
      code,
    },
  );
}
