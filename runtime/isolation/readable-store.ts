import { realpathSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadedConfig } from '../config/resolve.ts';

/** A closed pool whose agents may read, or write, what all agents keep. */
export interface ReadableStore {
  readonly threadId: string;
  /** The folder, or file, that is open to them and has the store in it. */
  readonly open: string;
}

type Config = Pick<LoadedConfig, 'agents' | 'pools' | 'store'>;

/**
 * The pools with `thread+permissions` to which the file of the store is open all the same: Node's permissions know no
 * exception from a folder. Beside that its agents could read the states of all others, whoever opens and closes the file in this process
 * lets go of SQLite's locks on it.
 */
export function readableStores({ agents, pools, store }: Config): ReadableStore[] {
  if (store?.type !== 'sqlite') return [];
  const file = real(store.path);
  return pools.flatMap(({ threadId, isolation, permissions: { read, write } }) => {
    if (isolation !== 'thread+permissions') return [];
    const own = agents.filter((agent) => agent.threadId === threadId);
    const folders = own.map(({ moduleUrl }) => dirname(fileURLToPath(moduleUrl)));
    const open = [...folders, ...read, ...write].find((path) => isWithin(file, real(path)));
    return open === undefined ? [] : [{ threadId, open }];
  });
}

export function readableStoreText({ threadId, open }: ReadableStore): string {
  return (
    `agents of the pool "${threadId}" may read the file of the store, which has the states of all agents, since it lies in ` +
    `${open}, and that is open to them; put the store elsewhere, or their modules in a folder of their own`
  );
}

function isWithin(file: string, folder: string): boolean {
  const way = relative(folder, file);
  return way === '' || (!way.startsWith('..') && resolve(folder, way) === file);
}

/** Whatever links lead to it, and whether it is there yet or not. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : resolve(real(dirname(path)), relative(dirname(path), path));
  }
}
