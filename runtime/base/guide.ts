import { isAbsolute, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** From source the docs lie two folders up, from `dist/runtime/base` three. */
const docs = new URL(import.meta.url.endsWith('.ts') ? '../../docs/' : '../../../docs/', import.meta.url);

/** Where a page of the docs lies in this package, as it can be opened from the folder of the process. */
export function guide(page: string, cwd: string = process.cwd()): string {
  const path = fileURLToPath(new URL(page, docs));
  const near = relative(cwd, path);
  return isAbsolute(near) || near.startsWith(`..${sep}`) ? path : near;
}
