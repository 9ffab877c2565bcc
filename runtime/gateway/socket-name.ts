import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/**
 * The longest name of a socket that the kernel takes, in bytes: 108 on Linux and 104 elsewhere, including the end of
 * the text.
 */
const LONGEST = process.platform === 'linux' ? 107 : 103;

/**
 * Calls `run` with a name of a socket's file that the kernel takes, however long its path is. The name is good while
 * `run` is under way.
 *
 * @throws {Error} `ENAMETOOLONG` where there is no shorter name, which is so on systems other than Linux
 */
export async function withSocketName<T>(file: string, run: (name: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(file) <= LONGEST) return run(file);
  if (process.platform !== 'linux') {
    throw Object.assign(new Error(`${file} is too long for a socket`), { code: 'ENAMETOOLONG' });
  }
  const folder = await open(dirname(file), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await run(`/proc/self/fd/${folder.fd}/${basename(file)}`);
  } finally {
    await folder.close();
  }
}
