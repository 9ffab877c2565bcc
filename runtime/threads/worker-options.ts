import { realpathSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from 'node:worker_threads';
import type { ResolvedPool } from '../config/resolve.ts';
import { inheritedExecArgv, optionsIn } from './inherited-options.ts';
import { linkedPackages, upwards } from './linked-packages.ts';

/** The extension of this file, by which the entry is found in source (`.ts`) and `dist` (`.js`): tests need no build. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));

/** The entry of a thread: in `dist` one file with all it starts with except XState; from source it imports the rest. */
export const workerEntry = new URL(`../worker/entry${extension}`, import.meta.url);

/** What a thread loads of the package, beside XState: its entry, and `holdfast/agent`, one bundled file each. */
export const threadFiles = ['entry', 'agent'] as const;

export { inheritedExecArgv };

/** The options of the host, read early: the program may later change its environment for programs that it starts. */
const hostOptions = [...optionsIn(process.env['NODE_OPTIONS']), ...process.execArgv];

/** Returns the options for a thread of the pool. The thread's environment is empty unless the config fills it. */
export function workerOptions(
  pool: ResolvedPool,
  name: string,
  moduleUrls: readonly string[],
  entry: URL = workerEntry,
): Omit<WorkerOptions, 'env'> & { readonly env: Readonly<Record<string, string>> } {
  return {
    name,
    env: { ...(entry.href === workerEntry.href && compileCache(pool)), ...pool.env },
    execArgv: [
      ...inheritedExecArgv(hostOptions, pool.isolation),
      ...sourceCondition(),
      ...(pool.isolation === 'thread+permissions' ? permissionFlags(pool, moduleUrls, entry) : []),
    ],
    ...(pool.resourceLimits === undefined ? {} : { resourceLimits: pool.resourceLimits }),
  };
}

/**
 * A thread keeps what V8 has compiled where the program does, if it does (`NODE_COMPILE_CACHE`, `module.enableCompileCache`): Node
 * asks each thread anew. The entry takes the variable away before an agent is loaded. A thread with permissions has none: what it
 * could write, the host would run.
 */
function compileCache(pool: ResolvedPool): { readonly NODE_COMPILE_CACHE?: string } {
  const folder = pool.isolation === 'thread' ? getCompileCacheDir() : undefined;
  // The host's own is in a folder of its version of Node.
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}

/** Returns the flag by which a thread that runs from source resolves `holdfast/agent` to the source as well. */
function sourceCondition(): string[] {
  return extension === '.ts' ? ['-C', 'holdfast-source'] : [];
}

/**
 * Returns the flags of Node's permission model for this thread alone: it may read its entry, its agents' folders and the
 * packages they can import, and neither write, start processes or threads, load addons nor attach an inspector.
 * `docs/isolation.md` says what that does not close.
 */
function permissionFlags(pool: ResolvedPool, moduleUrls: readonly string[], entry: URL): string[] {
  const readable = new Set([
    ...ownFiles(entry),
    packageFolder('xstate'),
    ...moduleUrls.flatMap((url) => importable(dirname(fileURLToPath(url)))),
    ...pool.permissions.read,
  ]);
  const flags = ['--permission', ...[...readable].map((path) => `--allow-fs-read=${path}`)];
  for (const path of pool.permissions.write) flags.push(`--allow-fs-write=${path}`);
  // Node 22 and 24 cannot restrict the network and refuse the flag.
  if (pool.permissions.net && process.allowedNodeEnvironmentFlags.has('--allow-net'))
    flags.push('--allow-net');
  // Node lets a process read its entry file. A thread has none, the empty path stands for the working directory,
  // and all of that would be readable (22, 24 and 26). It does not happen when no entry file is expected; a thread
  // is never interactive.
  flags.push('--interactive');
  return flags;
}

/** Returns the files of Holdfast that a thread reads, apart from XState. */
function ownFiles(entry: URL): string[] {
  const runtime = dirname(dirname(fileURLToPath(import.meta.url)));
  if (extension === '.ts' || entry.href !== workerEntry.href) return [runtime, packageFolder('comlink')];
  // The maps are for --enable-source-maps.
  return threadFiles.flatMap((name) =>
    ['js', 'js.map'].map((ending) => join(runtime, 'worker', `${name}.${ending}`)),
  );
}

/**
 * Returns an agent's folder, the real folders of the packages that are linked for it, and above them what Node reads to find
 * packages: manifests and `node_modules`. Real paths are included, too, since Node looks for packages from there.
 */
function importable(folder: string): string[] {
  const real = realpathSync(folder);
  const roots = [folder, real, ...linkedPackages(real)];
  const paths = new Set(roots);
  for (const root of roots) {
    for (const at of upwards(root)) paths.add(join(at, 'package.json')).add(join(at, 'node_modules'));
  }
  return [...paths];
}

function packageFolder(name: string): string {
  const entry = fileURLToPath(import.meta.resolve(name));
  const marker = `node_modules/${name}/`;
  const at = entry.lastIndexOf(marker);
  return at === -1 ? dirname(entry) : entry.slice(0, at + marker.length - 1);
}
