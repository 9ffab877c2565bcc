import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { installLocked } from '../../scripts/install-locked.ts';
import type { Task } from '../raw/thread.ts';
import { hasPeers } from './selection.ts';
import type { Savina } from './savina-actors.ts';

/** Not every peer always stops under load; nothing is measured then. */
const STOP_MS = 2000;

/** A running pool of a peer: tasks are answered with their `n`, `read` with the count. */
export interface PeerPool {
  readonly run: (task: Task) => Promise<unknown>;
  /** One way, for the peers that have it. */
  readonly post?: (task: Task) => unknown;
  readonly stop: () => Promise<unknown>;
}

/** What `peers/<name>.mjs` exports: plain JavaScript, because the peers are not installed where types are checked. */
interface PeerModule {
  start(threads: number): Promise<PeerPool>;
}

const folder = new URL('../peers/', import.meta.url);

/** Rows of the peers, and the module that drives each. */
export const peers = {
  piscina: 'piscina',
  'piscina, 64 tasks a thread': 'piscina-concurrent',
  tinypool: 'tinypool',
  poolifier: 'poolifier',
  comedy: 'comedy',
} as const;

export type PeerName = keyof typeof peers;
/** None when two builds of Holdfast are compared. */
export const peerNames = hasPeers() ? (Object.keys(peers) as PeerName[]) : [];

/** Installs the peers from their lockfile, once: they are no dependencies of Holdfast. */
export function installPeers(): void {
  installLocked(folder);
}

/** Pinned versions, for the record. */
export function peerVersions(): Record<string, string> {
  const text = readFileSync(new URL('package.json', folder), 'utf8');
  return (JSON.parse(text) as { dependencies: Record<string, string> }).dependencies;
}

export async function startPeer(name: PeerName, threads: number): Promise<PeerPool> {
  installPeers();
  const { href } = new URL(`${peers[name]}.mjs`, folder);
  const pool = await ((await import(href)) as PeerModule).start(threads);
  return {
    ...pool,
    stop: async () => {
      const stopped = await Promise.race([pool.stop().then(() => true), sleep(STOP_MS, false)]);
      if (!stopped) console.error(`bench: ${name} did not stop within ${STOP_MS} ms`);
    },
  };
}

/** Starts all, and stops all. */
export async function startPeers(
  threads: number,
): Promise<{ pools: Record<PeerName, PeerPool>; stop(): Promise<void> }> {
  const pools = {} as Record<PeerName, PeerPool>;
  for (const name of peerNames) pools[name] = await startPeer(name, threads);
  return {
    pools,
    stop: async () => {
      for (const pool of Object.values(pools)) await pool.stop();
    },
  };
}

export async function startComedySavina(): Promise<Savina> {
  installPeers();
  const { href } = new URL('comedy-savina.mjs', folder);
  return ((await import(href)) as { startSavina(): Promise<Savina> }).startSavina();
}
