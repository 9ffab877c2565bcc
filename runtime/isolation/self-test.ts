import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { ResolvedPool } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import { workerOptions } from '../threads/worker-options.ts';
import type { AttackData } from './attack-entry.ts';
import { ATTACKS, type Bait, type Outcome } from './attacks.ts';

/** What one attack came to. JSON-safe. */
export interface AttackRow {
  readonly attack: string;
  readonly tries: string;
  readonly outcome: Outcome;
}

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./attack-entry${extension}`, import.meta.url);

/** As long as a thread may take to start; it takes a fraction of a second. */
const SELF_TEST_MS = 10_000;

/** Whether this Node can deny a thread the network; 22 and 24 cannot. */
const deniesNetwork = process.allowedNodeEnvironmentFlags.has('--allow-net');

/**
 * Tries every attack from inside a thread that is started as those of the pool are, for agents of these modules. Ends
 * with that thread gone and nothing left on the disk. `undefined` when `signal` was given up in the meantime.
 *
 * @throws {HoldfastError} `ISOLATION_UNAVAILABLE` when the thread cannot be started, or does not come to an end.
 */
export async function selfTest(
  pool: ResolvedPool,
  moduleUrls: readonly string[],
  signal?: AbortSignal,
  deadlineMs: number = SELF_TEST_MS,
): Promise<readonly AttackRow[] | undefined> {
  const folder = await baitFolder(pool);
  const clear = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', clear);
  try {
    const options = workerOptions(pool, 'holdfast:self-test', moduleUrls, entry);
    const bait = await layBait(folder, pool, options.execArgv ?? []);
    const ends = [AbortSignal.timeout(deadlineMs), ...(signal ? [signal] : [])];
    const outcomes = await attack(pool, options, bait, AbortSignal.any(ends));
    const missing = ATTACKS.find(({ name }) => !outcomes.has(name));
    if (missing === undefined) {
      return ATTACKS.map(({ name, tries }) => ({
        attack: name,
        tries,
        outcome: outcomes.get(name) as Outcome,
      }));
    }
    if (signal?.aborted) return undefined;
    throw unfinished(pool, `it did not get past the attack "${missing.name}" in ${deadlineMs} ms`);
  } finally {
    process.off('exit', clear);
    clear();
  }
}

/** Names of what is open. */
export function openAttacks(rows: readonly AttackRow[]): string[] {
  return rows.filter(({ outcome }) => outcome === 'open').map(({ attack }) => attack);
}

async function baitFolder(pool: ResolvedPool): Promise<string> {
  try {
    return await realpath(await mkdtemp(join(tmpdir(), 'holdfast-bait-')));
  } catch (error) {
    throw unfinished(pool, 'it needs a temporary folder; let TMPDIR name one that can be written', error);
  }
}

async function layBait(folder: string, pool: ResolvedPool, execArgv: readonly string[]): Promise<Bait> {
  // A name as well, so that it is told when somebody runs the file as a script.
  const canary = `canary_${randomBytes(12).toString('hex')}`;
  await writeFile(join(folder, '.env'), `HOLDFAST_BAIT=${canary}\n`);
  await writeFile(join(folder, 'bait.json'), JSON.stringify({ canary }));
  const closed = pool.isolation === 'thread+permissions';
  /** Whether the config opens that path: by its permissions, or since the agents are above it. */
  const opened = (flag: string, path: string): boolean =>
    execArgv.some((argument) => argument.startsWith(flag) && contains(argument.slice(flag.length), path));
  return {
    folder,
    canary,
    allowed: {
      read: opened('--allow-fs-read=', folder),
      write: opened('--allow-fs-write=', folder),
      proc: opened('--allow-fs-read=', '/proc/self'),
      net: closed && (pool.permissions.net || !deniesNetwork),
    },
  };
}

function contains(root: string, path: string): boolean {
  return root === '*' || `${path}${sep}`.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** What came of them, as far as the thread got until it was over or `signal` came. */
async function attack(
  pool: ResolvedPool,
  options: WorkerOptions,
  bait: Bait,
  signal: AbortSignal,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const worker = start(pool, options, bait);
  let failure: unknown;
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  worker.on('error', (error) => (failure = error));
  worker.on('message', ([name, outcome]: [string, Outcome]) => outcomes.set(name, outcome));
  const end = (): void => void worker.terminate();
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  await exited;
  signal.removeEventListener('abort', end);
  if (failure !== undefined) throw unfinished(pool, 'its thread ended with an error', failure);
  return outcomes;
}

function start(pool: ResolvedPool, options: WorkerOptions, bait: Bait): Worker {
  const workerData: AttackData = { isolation: pool.isolation, bait };
  try {
    // What Node warns of while it is attacked is nobody's concern.
    const streams = { stdout: true, stderr: true };
    return new Worker(entry, {
      ...options,
      ...streams,
      workerData,
    });
  } catch (error) {
    throw unfinished(pool, 'this Node cannot start its threads; use Node 22.18 or later', error);
  }
}

function unfinished({ threadId }: ResolvedPool, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'ISOLATION_UNAVAILABLE',
    `the isolation of pool "${threadId}" could not be tried on Node ${process.version}: ${why}`,
    { cause },
  );
}
