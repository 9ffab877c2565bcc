import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** What the kernel takes as the name of a socket, in bytes: 108 on Linux and 104 elsewhere, with the end of the text. */
const LONGEST = process.platform === 'linux' ? 107 : 103;

/**
 * Runs something with a name of a socket's file that the kernel takes, however long its path is. The name is good as long as that runs.
 *
 * @throws {Error} `ENAMETOOLONG` where there is no shorter one, which is so on other systems than Linux
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
