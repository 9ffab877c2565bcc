import { existsSync } from 'node:fs';
import { HoldfastError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import { configDatabase, readStoreKeys, type RuntimeOptions } from '../runtime.ts';
import { storedRecords } from '../store/sqlite/stored-records.ts';
import { type StateFinding, tryStates } from '../trial/states.ts';

/** The states that are named, of each kind; with as many that do not go on, no more are looked at. */
const MOST_NAMED = 10;

const LATE =
  'the time is up to look at the states of the store, and so many are left that nobody has looked at: those that do not go on are quarantined when they wake; with a file, holdfast store check looks at all of them';

export interface KeptStatesOptions {
  readonly config: LoadedConfig;
  /** The providers of the host's own, for the key of the store. */
  readonly providers: RuntimeOptions['providers'];
  readonly logger: Logger;
  /** Milliseconds after which the states that are left are not looked at. Those before are of all parts of a file. */
  readonly ms: number;
}

/**
 * Restores the states of the store that a config names, with the code at hand and while another process has the store, as
 * `holdfast store check` does. What is quarantined already is left out: it is no worse off.
 *
 * @throws {HoldfastError} `STATE_INCOMPATIBLE` with those that cannot go on; `STORE_FAILED` and the like
 */
export async function checkKeptStates({ config, providers, logger, ms }: KeptStatesOptions): Promise<void> {
  const { store } = config;
  if (store?.type === 'postgres') {
    const database = configDatabase(store, config, providers);
    try {
      await tryAll({ config, logger, ms }, (comes) => database.records(comes));
    } finally {
      await database.close();
    }
    return;
  }
  if (store === undefined || !existsSync(store.path)) return;
  const keys = await readStoreKeys(config, providers);
  await tryAll({ config, logger, ms }, (comes) => storedRecords(store.path, keys, 'spread', comes));
}

type StoredRecords = ReturnType<typeof storedRecords>;

async function tryAll(
  { config, logger, ms }: Omit<KeptStatesOptions, 'providers'>,
  records: (comes: (left: number) => void) => StoredRecords,
): Promise<void> {
  const until = performance.now() + ms;
  const refused: StateFinding[] = [];
  let [tried, warned, left] = [0, 0, 0];
  const comes = (behind: number): void => void (left = behind);
  for await (const finding of tryStates(config, goingOn(records(comes)))) {
    tried += 1;
    if (finding?.severity === 'error') refused.push(finding);
    else if (finding !== undefined && (warned += 1) <= MOST_NAMED) {
      const { severity: _, message, ...of } = finding;
      logger.warn(of, message);
    }
    if (refused.length === MOST_NAMED) break;
    if (left > 0 && performance.now() > until) {
      logger.warn({ tried, left, ms }, LATE);
      break;
    }
  }
  if (refused.length > 0) throw incompatible(refused);
}

async function* goingOn(records: StoredRecords): StoredRecords {
  for await (const record of records) if (!record.quarantined) yield record;
}

function incompatible(refused: readonly StateFinding[]): HoldfastError {
  const least = refused.length === MOST_NAMED ? 'at least ' : '';
  const count = `${least}${refused.length} instance${refused.length === 1 ? '' : 's'}`;
  const named = refused.map(({ address, code, message }) => `${address} [${code}] ${message}`).join('; ');
  const advice =
    'export migrations, or deploy the machine of before; holdfast store check says all. holdfast gateway restart --force restarts all the same';
  return new HoldfastError(
    'STATE_INCOMPATIBLE',
    `${count} of the store would be quarantined with this code, and the old process goes on: ${named}; ${advice}`,
  );
}
