import { readlinkSync } from 'node:fs';
import { dirname, join, parse, resolve, sep } from 'node:path';

/** The most links that the kernel follows. */
const MOST_LINKS = 40;

/**
 * Every path whose change leads to another file under that name: the links on the way, also those of folders, and the
 * file at the end. In each, everything but the last part is real.
 */
export function waysTo(file: string): string[] {
  const found: string[] = [];
  let [at, left] = apart(file);
  for (let links = 0; left.length > 0;) {
    const [name = '', ...rest] = left;
    const path = join(at, name);
    const target = links < MOST_LINKS ? linkAt(path) : undefined;
    if (target === undefined) {
      if (rest.length === 0) found.push(path);
      [at, left] = [path, rest];
      continue;
    }
    links += 1;
    found.push(path);
    [at, left] = apart(resolve(dirname(path), target, ...rest));
  }
  return [...new Set(found)];
}

function apart(path: string): [root: string, names: string[]] {
  const { root } = parse(path);
  return [root, path.slice(root.length).split(sep).filter(Boolean)];
}

/** The target of a link; undefined for anything else. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
