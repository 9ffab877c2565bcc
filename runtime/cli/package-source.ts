import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from '../base/version.ts';

/** Where a new project has Holdfast from. */
export interface PackageSource {
  /** As it stands in `dependencies`. */
  readonly range: string;
  /** What to type in the project before `npm install`, which finds nothing otherwise. */
  readonly before: (pathTo: (folder: string) => string) => string | undefined;
}

/** From source this package begins two folders up, from `dist/runtime/cli` three. */
const own = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../..' : '../../..', import.meta.url));

/**
 * A registry has this package when this copy is from one. Another, a clone or what a tarball has brought, is packed into the
 * project: a link to it would bring an XState of its own.
 */
export function packageSource(root: string = own): PackageSource {
  if (isFromRegistry(root)) return { range: `^${version}`, before: () => undefined };
  const isClone = existsSync(join(root, 'scripts', 'build.ts'));
  return {
    range: `file:holdfast-${version}.tgz`,
    // What is installed is built, and has nothing to build it with.
    before: (pathTo) => `npm pack ${isClone ? '' : '--ignore-scripts '}${pathTo(root)}`,
  };
}

function isFromRegistry(root: string): boolean {
  const modules = dirname(root);
  if (basename(modules) !== 'node_modules') return false;
  // pnpm: node_modules/.pnpm/holdfast@file+…/node_modules/holdfast
  if (/^holdfast@(?:file|link)\b/.test(basename(dirname(modules)))) return false;
  // npm, and npx in its cache.
  const lock = readJson(join(modules, '.package-lock.json')) as { packages?: Record<string, Installed> };
  const installed = lock.packages?.['node_modules/holdfast'];
  if (installed !== undefined) return installed.link !== true && /^https?:/.test(installed.resolved ?? '');
  const manifest = readJson(join(dirname(modules), 'package.json')) as {
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const range = manifest.dependencies?.['holdfast'] ?? manifest.devDependencies?.['holdfast'];
  return range === undefined || !/^(?:file|link|portal):|^\.{0,2}\/|\.tgz$/.test(range);
}

interface Installed {
  readonly resolved?: string;
  readonly link?: boolean;
}

/** Nothing of a file that is not there or not readable. */
function readJson(path: string): object {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
