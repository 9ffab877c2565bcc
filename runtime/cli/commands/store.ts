import { resolve } from 'node:path';
import { loadForGateway } from '../../config/load.ts';
import type { LoadedConfig } from '../../config/resolve.ts';
import { partsOf } from '../../base/address.ts';
import { ConfigError, HoldfastError } from '../../base/errors.ts';
import { storeName } from '../../config/store-name.ts';
import { type StateFinding, tryStates } from '../../trial/states.ts';
import {
  backupStore,
  checkStoreFile,
  compactStore,
  exportStoreLines,
  forgetInStore,
  rekeyStoreFile,
  restoreStore,
  resumeStore,
  waitingInStore,
} from '../../store/sqlite/store-care.ts';
import { storedRecords } from '../../store/sqlite/stored-records.ts';
import { optionsOf } from '../../gateway/options-module.ts';
import { runningGateway } from '../../gateway/running.ts';
import { readStoreKeys } from '../../runtime.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { configOf, request } from '../gateway-client.ts';
import { counted, paint, type Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export interface StoreOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** The findings of a check that are printed or in the document; the rest are counted. */
const MOST_SHOWN = 1000;
const MB = 1024 * 1024;

/** Looks at the file, and restores each state with the code at hand, also while a gateway runs. */
export async function storeCheck(options: StoreOptions, terminal: Terminal): Promise<ExitCode> {
  const { file, config, path } = await storeOf('check', options, terminal);
  const { problems, counts } = await checkStoreFile(path);
  const findings: StateFinding[] = [];
  let [tried, errors, warnings, all] = [0, 0, 0, 0];
  const records = counting(storedRecords(path, await keysOf(config, file)), () => void (all += 1));
  for await (const finding of tryStates(config, records)) {
    // Once for an agent, whose instances nobody continues.
    if (finding?.code !== 'AGENT_UNKNOWN') tried += 1;
    if (finding === undefined) continue;
    if (finding.severity === 'error') errors += 1;
    else warnings += 1;
    if (findings.length < MOST_SHOWN) findings.push(finding);
  }
  const ok = problems.length === 0 && errors === 0;
  const { stdout } = terminal;
  if (options.json === true) {
    const states = { tried, errors, warnings, left: all - tried };
    const report = { ok, path, counts, problems, states, findings };
    stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    return ok ? EXIT.ok : EXIT.failed;
  }
  const colour = paint(terminal);
  for (const problem of problems) stdout.write(`${colour('red', '✗')} ${problem}\n`);
  for (const { address, severity, code, message } of findings) {
    const mark = severity === 'error' ? colour('red', '✗') : colour('yellow', '!');
    stdout.write(`${mark} ${address} [${code}] ${message}\n`);
  }
  const more = errors + warnings - findings.length;
  if (more > 0) stdout.write(`... ${more} more\n`);
  if (problems.length > 0)
    stdout.write('The file is damaged: restore a backup with holdfast store restore.\n');
  if (errors > 0)
    stdout.write(
      `${counted(errors, 'instance')} would be quarantined with this code: export migrations, or deploy the machine of before.\n`,
    );
  const left = all === tried ? '' : `, ${all - tried} left as ${all - tried === 1 ? 'it is' : 'they are'}`;
  stdout.write(
    `${path}: ${tables(counts)}; ${counted(tried - errors, 'state')} of ${tried} can go on${left}.\n`,
  );
  return ok ? EXIT.ok : EXIT.failed;
}

async function* counting<T>(all: AsyncIterable<T>, count: () => void): AsyncGenerator<T> {
  for await (const one of all) {
    count();
    yield one;
  }
}

/** How many rows each table has; their names are plurals. */
function tables(counts: object): string {
  const all = Object.entries(counts) as readonly (readonly [string, number])[];
  return all.map(([table, count]) => counted(count, table.slice(0, -1))).join(', ');
}

/** Writes a copy to a file that is not there yet, also while a gateway runs. */
export async function storeBackup(
  file: string,
  options: StoreOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { path } = await storeOf('backup', options, terminal);
  const to = resolve(terminal.cwd, file);
  await backupStore(path, to);
  return done('backup', { path, file: to }, `Written to ${to}.`, options, terminal);
}

/** Puts a copy in the place of the store, which nobody may have open. */
export async function storeRestore(
  file: string,
  options: StoreOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { path } = await storeOf('restore', options, terminal);
  const from = resolve(terminal.cwd, file);
  const { before } = await restoreStore(path, from);
  const kept = before === undefined ? '' : ` What was there is ${before}.`;
  const next = 'It wakes nobody until holdfast store resume.';
  return done('restore', { path, file: from, before }, `Restored.${kept} ${next}`, options, terminal);
}

/** Writes a store that nobody has open anew, without what is free in it. */
export async function storeCompact(options: StoreOptions, terminal: Terminal): Promise<ExitCode> {
  const { path } = await storeOf('compact', options, terminal);
  const { before, after } = await compactStore(path);
  const text =
    after === before
      ? `Less than a third of ${path} is free: it stays as it is.`
      : `From ${(before / MB).toFixed(1)} to ${(after / MB).toFixed(1)} MiB.`;
  return done('compact', { path, before, after }, text, options, terminal);
}

/** Encrypts all of a store that nobody has open anew. */
export async function storeRekey(options: StoreOptions, terminal: Terminal): Promise<ExitCode> {
  const { file, config, path } = await storeOf('rekey', options, terminal);
  const keys = await keysOf(config, file);
  if (keys === undefined)
    throw new ConfigError(
      'CONFIG_INVALID',
      `CONFIG_INVALID: ${file} names no key of the store; write encryption: { key: '<the secret>' } in store`,
      [],
    );
  const counts = await rekeyStoreFile(path, keys);
  const text = `All of ${path} is encrypted with a new key: ${tables(counts)}.`;
  return done('rekey', { path, counts }, text, options, terminal);
}

/** Writes all that a store has to a file, as lines of JSON. */
export async function storeExport(
  file: string,
  options: StoreOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { file: configFile, config, path } = await storeOf('export', options, terminal);
  const to = resolve(terminal.cwd, file);
  const lines = await exportStoreLines(path, to, await keysOf(config, configFile));
  return done('export', { path, file: to, lines }, `${counted(lines, 'line')} in ${to}.`, options, terminal);
}

/** Lets a store that was restored wake its instances: by the gateway that has it open, or in the file. */
export async function storeResume(options: StoreOptions, terminal: Terminal): Promise<ExitCode> {
  const { file, path } = await storeOf('resume', options, terminal);
  const waiting = await waitingInStore(path, Date.now());
  const running = await runningGateway(file, terminal.env);
  if (running === undefined) await resumeStore(path);
  else await request(running, 'POST', '/v1/store/resume');
  const since = (at: number | null): string => (at === null ? '' : ` since ${new Date(at).toISOString()}`);
  const { rows, rowsSince, timers, timersSince, restored } = waiting;
  const text =
    (restored ? '' : 'It was not waiting for this. ') +
    `${counted(rows, 'event')} waited${since(rowsSince)}, ${counted(timers, 'timer')} due${since(timersSince)}. ` +
    `They wake ${running === undefined ? 'with the next start' : 'now'}.`;
  return done('resume', { path, waiting }, text, options, terminal);
}

/** Deletes everything of one instance from a store that nobody has open. */
export async function storeForget(
  address: string,
  options: StoreOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (partsOf(address) === undefined)
    throw new UsageError(`an address is <agent>/<id>, such as trading-agent/btc, not ${address}`);
  const { path } = await storeOf('forget', options, terminal);
  const deleted = await forgetInStore(path, address);
  const text = deleted === 0 ? `There is nothing of ${address}.` : `${address} is forgotten.`;
  return done('forget', { path, address, deleted }, text, options, terminal);
}

/** The keys of the store, also from the providers that the module in `gateway.options` brings. */
async function keysOf(config: LoadedConfig, file: string): ReturnType<typeof readStoreKeys> {
  if (config.store?.type !== 'sqlite' || config.store.encryption === undefined) return undefined;
  const { providers } = await optionsOf(config, file);
  return readStoreKeys(config, providers);
}

/** What there is instead, for a store that is no file. */
const INSTEAD = {
  check:
    'holdfast doctor looks at the database, and holdfast gateway restart tries all states with the code at hand before it goes on',
  backup: 'use pg_dump, which takes a consistent copy also while a gateway runs',
  restore:
    'stop the gateway, and use pg_restore or psql; with restored = true in the table owner nothing wakes by itself before POST /v1/store/resume',
  compact: 'autovacuum does that; VACUUM FULL where much was deleted',
  rekey: 'Holdfast encrypts nothing there: that is for the disks of the server',
  export: 'use pg_dump, which writes all of it',
  resume: 'POST /v1/store/resume at the gateway, which has it open',
  forget: 'stop the gateway, and delete what has the address from records, rows, ids, steps and letters',
} as const;

function noFile(command: keyof typeof INSTEAD, name: string): HoldfastError {
  return new HoldfastError(
    'STORE_NOT_A_FILE',
    `holdfast store ${command} is for files, and the store is ${name}, a PostgreSQL database; ${INSTEAD[command]}`,
  );
}

/** The file of the store that a config names. */
async function storeOf(
  command: keyof typeof INSTEAD,
  options: StoreOptions,
  terminal: Terminal,
): Promise<{ readonly file: string; readonly config: LoadedConfig; readonly path: string }> {
  const file = configOf(options.config, terminal);
  const config = await loadForGateway(file);
  const { store } = config;
  if (store?.type === 'sqlite') return { file, config, path: store.path };
  if (store?.type === 'postgres') throw noFile(command, storeName(store));
  throw new ConfigError(
    'CONFIG_INVALID',
    `CONFIG_INVALID: ${file} names no store; write store: { type: 'sqlite', path: './data/agents.db' }`,
    [],
  );
}

function done(
  action: string,
  found: object,
  text: string,
  { json }: StoreOptions,
  { stdout }: Terminal,
): ExitCode {
  stdout.write(json === true ? `${JSON.stringify({ action, ok: true, ...found })}\n` : `${text}\n`);
  return EXIT.ok;
}
