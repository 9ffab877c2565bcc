import { readFileSync } from 'node:fs';
import { installLocked } from '../../scripts/install-locked.ts';
import { serverVersions, startPostgres, startRedis, startRestate } from './durable-servers.ts';

/** Counters by key that outlive the machine's power. */
export interface Counters {
  /** Adds one, and tells the count when it is on the disk. */
  readonly add: (key: number) => Promise<unknown>;
  /** The count of each key. */
  readonly totals: () => Promise<readonly unknown[]>;
  readonly stop: () => Promise<unknown>;
}

/** What `peers/durable/<name>.mjs` exports: plain JavaScript, because the peers are not installed where types are checked. */
interface PeerModule {
  readonly start: (options: object) => Promise<Counters>;
}

const folder = new URL('../peers/durable/', import.meta.url);
const moduleOf = async <T = PeerModule>(name: string): Promise<T> =>
  (await import(new URL(`${name}.mjs`, folder).href)) as T;

type Start = (data: string, keys: number) => Promise<Counters>;

export const durablePeers: Readonly<Record<string, Start>> = {
  Restate: async (data, keys) => {
    const { binary, start } = await moduleOf<PeerModule & { readonly binary: () => string }>('restate');
    const { stop, ...urls } = await startRestate(data, binary());
    return whole(await start({ ...urls, keys }), stop);
  },
  DBOS: async (data, keys) => {
    const { url, stop } = await startPostgres(data);
    return whole(await (await moduleOf('dbos')).start({ url, keys }), stop);
  },
  'BullMQ, appendfsync always': async (data, keys) => {
    const { connection, stop } = await startRedis(data);
    return whole(await (await moduleOf('bullmq')).start({ connection, keys }), stop);
  },
};

/** Installs them from their lockfile, once: they are no dependencies of Holdfast. */
export function installDurablePeers(): void {
  installLocked(folder);
}

/** Pinned versions and those of the system, for the record. */
export function durablePeerVersions(): Record<string, string> {
  const text = readFileSync(new URL('package.json', folder), 'utf8');
  return {
    ...(JSON.parse(text) as { dependencies: Record<string, string> }).dependencies,
    ...serverVersions(),
  };
}

function whole(counters: Counters, stopServer: () => Promise<void>): Counters {
  return {
    ...counters,
    stop: async () => {
      await counters.stop();
      await stopServer();
    },
  };
}
