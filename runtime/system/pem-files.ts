import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../base/errors.ts';

type Names = 'ca' | 'cert' | 'key';

/**
 * The texts of those files that are named.
 *
 * @throws {HoldfastError} with that code, when one cannot be read; `where` is the key of the config that has them
 */
export async function pemsOf<T extends { readonly [K in Names]?: string | undefined }>(
  files: T,
  where: string,
  code: 'STORE_FAILED' | 'CONFIG_INVALID',
): Promise<{ readonly [K in keyof T]: string }> {
  const named = Object.entries(files);
  const read = named.map(async ([name, file]) => {
    if (file === undefined) return [];
    try {
      return [[name, await readFile(file, 'utf8')] as const];
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new HoldfastError(code, `${where}.${name}: ${file} cannot be read (${why})`, { cause: error });
    }
  });
  return Object.fromEntries((await Promise.all(read)).flat()) as { [K in keyof T]: string };
}
