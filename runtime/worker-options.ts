import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from 'node:worker_threads';
import type { ResolvedPool } from './config/resolve.ts';

/** Finds the worker's entry from source (`.ts`) and from `dist` (`.js`) alike, without a build for tests. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));

/** In `dist` one file that holds all a thread starts with but XState; from source it imports the rest. */
export const workerEntry = new URL(`./worker/entry${extension}`, import.meta.url);

/** What an agent's import of `holdfast/agent` leads to, beside XState. */
export const agentHelpers = [
  'worker/agent',
  'worker/peer-ref',
  'worker/thread-state',
  'mailbox/transfer',
  'errors',
] as const;

/** Node options of the host that its threads need too; others do not apply to threads, or would weaken them. */
const inherited = new Set(['-C', '--conditions', '--import', '--require', '-r', '--loader']);
const inheritedFlags = new Set(['--enable-source-maps', '--no-warnings', '--experimental-strip-types']);

/** The options a thread of this pool is started with. Its environment is empty unless the config fills it. */
export function workerOptions(
  pool: ResolvedPool,
  name: string,
  moduleUrls: readonly string[],
  entry: URL = workerEntry,
): WorkerOptions {
  return {
    name,
    env: { ...pool.env },
    execArgv: [
      ...inheritedExecArgv(process.execArgv),
      ...sourceCondition(),
      ...(pool.isolation === 'thread+permissions' ? permissionFlags(pool, moduleUrls, entry) : []),
    ],
    ...(pool.resourceLimits === undefined ? {} : { resourceLimits: pool.resourceLimits }),
  };
}

/** Run from source, a thread must resolve `holdfast/agent` to the source as well. */
function sourceCondition(): string[] {
  return extension === '.ts' ? ['-C', 'holdfast-source'] : [];
}

export function inheritedExecArgv(execArgv: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < execArgv.length; i++) {
    const argument = execArgv[i] as string;
    const [name = ''] = argument.split('=', 1);
    if (inheritedFlags.has(name)) kept.push(argument);
    if (!inherited.has(name)) continue;
    kept.push(argument);
    if (!argument.includes('=')) kept.push(execArgv[++i] ?? '');
  }
  return kept;
}

/**
 * Node's permission model for this thread alone: it may read its entry, its agents' folders and the packages they
 * can import, and neither write, start processes or threads, load addons nor attach an inspector. What that does
 * not close stands in `docs/isolation.md`.
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

/** What a thread reads of Holdfast, apart from XState: its entry, and `holdfast/agent` when an agent imports it. */
function ownFiles(entry: URL): string[] {
  const runtime = dirname(fileURLToPath(import.meta.url));
  if (extension === '.ts' || entry.href !== workerEntry.href) return [runtime, packageFolder('comlink')];
  // The map is for --enable-source-maps.
  const files = ['worker/entry.js', 'worker/entry.js.map', ...agentHelpers.map((path) => `${path}.js`)];
  return files.map((path) => join(runtime, path));
}

/** An agent's folder, and above it what Node reads to find packages: manifests and `node_modules`. */
function importable(folder: string): string[] {
  const paths = [folder, realpathSync(folder)];
  for (let at = folder; ; at = dirname(at)) {
    paths.push(join(at, 'package.json'), join(at, 'node_modules'));
    if (dirname(at) === at) return paths;
  }
}

function packageFolder(name: string): string {
  const entry = fileURLToPath(import.meta.resolve(name));
  const marker = `node_modules/${name}/`;
  const at = entry.lastIndexOf(marker);
  return at === -1 ? dirname(entry) : entry.slice(0, at + marker.length - 1);
}
