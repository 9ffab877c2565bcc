import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/**
 * Returns the real folders of the linked packages, as in a monorepo, that the modules in `folder` depend on, and of those
 * that these depend on in turn. Only packages that manifests declare: the `node_modules` of a monorepo links all of its
 * packages, also those that hold the host and its credentials. Holdfast is left out; a thread needs only a few of its
 * files.
 */
export function linkedPackages(folder: string): string[] {
  const found = new Set<string>();
  const left = [folder];
  for (let from = left.pop(); from !== undefined; from = left.pop()) {
    for (const name of dependenciesOf(from)) {
      const real = linkTarget(from, name);
      if (real === undefined || found.has(real) || contains(real, folder)) continue;
      found.add(real);
      left.push(real);
    }
  }
  return [...found];
}

/** Returns the names of the dependencies in the manifest nearest to the folder. */
function dependenciesOf(folder: string): string[] {
  for (const at of upwards(folder)) {
    const manifest = read(join(at, 'package.json'));
    if (manifest === undefined) continue;
    const { dependencies, optionalDependencies, peerDependencies } = manifest;
    const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
    return names.filter((name) => name !== 'holdfast');
  }
  return [];
}

type Manifest = Record<
  'dependencies' | 'optionalDependencies' | 'peerDependencies',
  Record<string, string> | undefined
>;

/** Reads a manifest; one that is broken counts as missing, since Node itself reports it when it needs it. */
function read(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}

/** Returns the folder of a package that Node finds from there by a link, unless it is in the same or a higher `node_modules`. */
function linkTarget(from: string, name: string): string | undefined {
  const stores = [...upwards(from)].map((at) => join(at, 'node_modules'));
  const store = stores.find((at) => existsSync(join(at, name)));
  if (store === undefined) return undefined;
  const real = realpathSync(join(store, name));
  return stores.some((at) => contains(at, real)) ? undefined : real;
}

export function* upwards(folder: string): Generator<string> {
  for (let at = folder; ; at = dirname(at)) {
    yield at;
    if (dirname(at) === at) return;
  }
}

function contains(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
