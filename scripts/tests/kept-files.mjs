// Where what tests share is kept, for each version of Node by itself.
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The URL of the repository. */
export const root = new URL('../../', import.meta.url).href;

/** A folder of this version of Node. */
export const folder = fileURLToPath(new URL(`node_modules/.cache/tests/${process.version}/`, root));

/** The file that holds a source file without its types. */
export function kept(source) {
  return `${folder}${source.slice(fileURLToPath(root).length).replaceAll('/', '+')}.mjs`;
}

/** Whether that file is of the source as it is now: it has been given the time of the source, as exactly as a file system keeps it. */
export function isOf(source, file) {
  const kept = statSync(file, { throwIfNoEntry: false });
  return kept !== undefined && Math.abs(kept.mtimeMs - statSync(source).mtimeMs) < 2;
}
