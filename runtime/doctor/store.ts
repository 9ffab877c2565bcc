import { HoldfastError } from '../base/errors.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import type { PostgresStoreConfig, SqliteStoreConfig } from '../config/store-schema.ts';
import { configDatabase, type PostgresLook, type RuntimeOptions } from '../runtime.ts';
import { readableStores, readableStoreText } from '../isolation/readable-store.ts';
import { guide } from '../base/guide.ts';
import { lookAtStore } from '../store/sqlite/store-care.ts';
import type { DoctorFinding } from './finding.ts';

const MB = 1024 * 1024;
/** The room on the disk from which on it counts as full: as much as the log of a busy store takes at times. */
const LITTLE_ROOM = 100 * MB;
/** The part of `maxBytes` from which on a store takes nothing new. */
const FULL = 0.9;

/** Looks at the file of the store that a config names, and changes nothing. */
export async function storeFindings(
  config: Pick<LoadedConfig, 'agents' | 'pools' | 'store'>,
): Promise<DoctorFinding[]> {
  const { store } = config;
  if (store?.type !== 'sqlite') return [];
  const readable = readableStores(config).map((one): DoctorFinding => {
    const fix =
      'an agent of that pool could read the states of all others, and let go of the locks of the file';
    return { checkId: 'store', severity: 'warn', message: readableStoreText(one), fix };
  });
  return [...(await filesFindings(store)), ...readable];
}

async function filesFindings(store: SqliteStoreConfig): Promise<DoctorFinding[]> {
  const { path, maxBytes } = store;
  const found = (severity: DoctorFinding['severity'], message: string, fix?: string): DoctorFinding => ({
    checkId: 'store',
    severity,
    message: `the store ${path} ${message}`,
    ...(fix !== undefined && { fix }),
  });
  try {
    const { exists, writable, bytes, freeBytes, fileSystem, holder, careful } = await lookAtStore(path);
    const findings: DoctorFinding[] = [];
    if (fileSystem !== undefined)
      findings.push(
        found('warn', `lies on ${fileSystem}`, 'move it to a disk of this machine: it may be damaged there'),
      );
    if (!writable)
      findings.push(
        found('error', 'cannot be written', 'give the file and its folder to the user of the gateway'),
      );
    if (freeBytes < LITTLE_ROOM)
      findings.push(
        found('warn', `has ${Math.floor(freeBytes / MB)} MiB left on its disk`, 'make room there'),
      );
    if (maxBytes !== undefined && bytes >= FULL * maxBytes)
      findings.push(
        found('warn', 'has little room left of its maxBytes', 'raise maxBytes, or holdfast store compact'),
      );
    if (careful === true)
      findings.push(
        found(
          'warn',
          'was left twice in a row by a process that ended soon, and not by a stop: the next start is careful',
          'see the log for what ended it; dead letters (poison) and quarantined instances name it once it is found',
        ),
      );
    if (holder !== undefined)
      findings.push(found('ok', `is open, by ${holder === 0 ? 'another process' : `the process ${holder}`}`));
    if (findings.length > 0) return findings;
    return [found('ok', exists ? 'can be opened' : 'is not there yet: the first start makes it')];
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const fix =
      error.code === 'STORE_TOO_NEW'
        ? 'start the version that wrote it, or holdfast store restore'
        : 'holdfast store check says what is damaged, holdfast store restore puts a backup in its place';
    return [{ checkId: 'store', severity: 'error', message: error.message, fix }];
  }
}

/**
 * Looks at the database of the store that a config names, and changes nothing: who has it goes on. `providers`: those of the host's
 * own.
 */
export async function databaseFindings(
  config: Pick<LoadedConfig, 'providers' | 'store'>,
  providers: RuntimeOptions['providers'] = [],
): Promise<DoctorFinding[]> {
  const { store } = config;
  if (store?.type !== 'postgres') return [];
  const found = (severity: DoctorFinding['severity'], message: string, fix?: string): DoctorFinding[] => [
    { checkId: 'store', severity, message, ...(fix !== undefined && { fix }) },
  ];
  try {
    const database = configDatabase(store, config, providers);
    try {
      const { problem, fix, ok } = said(await database.look(), store);
      return problem === undefined ? found('ok', ok) : found('error', problem, fix);
    } finally {
      await database.close();
    }
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const fix =
      error.code === 'STORE_TOO_NEW'
        ? 'start the version that wrote it'
        : `a gateway does not start without it; ${guide('durability.md')} says what the database and its user need`;
    return found('error', error.message, fix);
  }
}

function said(
  { where, server, user, schemaOwner, isThere, mayOpen, holder }: PostgresLook,
  { schema = 'holdfast' }: PostgresStoreConfig,
): { readonly problem?: string; readonly fix?: string; readonly ok: string } {
  const reached = `the store ${where} is reached: PostgreSQL ${server}, as ${user}`;
  if (!mayOpen) {
    const problem =
      schemaOwner === undefined
        ? `${reached}, who may not make the schema ${schema} in this database`
        : `${reached}, who may not make anything in the schema ${schema} of ${schemaOwner}`;
    const fix =
      schemaOwner === undefined
        ? `grant create on database … to "${user}"`
        : `open it as ${schemaOwner}, or alter schema ${schema} owner to "${user}", and its tables`;
    return { problem, fix, ok: reached };
  }
  if (!isThere) return { ok: `${reached}; it is not there yet: the first start makes it` };
  if (holder === undefined) return { ok: `${reached}; nobody has it open` };
  const since = new Date(holder.since).toISOString();
  return {
    ok: `${reached}; ${holder.name} has opened it ${since} and has not closed it: who opens it next has it`,
  };
}
