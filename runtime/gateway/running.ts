import { createHash } from 'node:crypto';
import { glob, lstat, mkdir, readFile, realpath, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import writeFileAtomic from 'write-file-atomic';
import { projectOf } from '../base/project.ts';
import { directFetch } from './direct-fetch.ts';
import { GatewayError } from './gateway-error.ts';
import { ended, GatewayLock, isLockHeld, type LockHolder, lockState } from './gateway-lock.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A running gateway, as other processes of the same user find it. */
export interface RunningGateway {
  readonly pid: number;
  readonly url: string;
  /** A token that may do everything. */
  readonly token: string;
  /** The path of the config, as it was named. */
  readonly config: string;
  readonly version: string;
  /** The SHA-256 fingerprint of its certificate, when it serves https. */
  readonly certificate?: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** The file of its lock, which lives as long as the gateway; absent in the record of a version without locks. */
  readonly lock?: string;
}

/** Milliseconds for an answer, which comes at once unless the service process is at its start. */
const ASK_MS = 3000;
const LOOK_MS = 50;

/** The errors of a file system without sockets, or without room for their names. */
const NO_SOCKETS: ReadonlySet<unknown> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EINVAL',
  'ENAMETOOLONG',
]);

/**
 * The folder in which a gateway of that config leaves its record: `$XDG_STATE_HOME/holdfast/gateways/<project>`, or
 * below `~/.local/state`.
 *
 * @throws {GatewayError} `NO_STATE_FOLDER` when there is neither
 */
export function gatewayFolder(config: string, env: Environment): string {
  const { XDG_STATE_HOME: state } = env;
  const base = state !== undefined && isAbsolute(state) ? state : join(home(), '.local', 'state');
  return join(base, 'holdfast', 'gateways', projectOf(dirname(config)), basename(config));
}

function home(): string {
  try {
    return homedir();
  } catch (cause) {
    const message =
      'this user has no home folder, so that a gateway cannot leave its address and token there; set XDG_STATE_HOME to the absolute path of a folder';
    throw new GatewayError('NO_STATE_FOLDER', message, { cause });
  }
}

/**
 * The folder of a gateway, made if need be, for this user alone.
 *
 * @throws {GatewayError} `NO_STATE_FOLDER` when it cannot be had
 */
export async function ownFolder(config: string, env: Environment): Promise<string> {
  const folder = gatewayFolder(config, env);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unwritable(folder, error);
  }
  return folder;
}

/** The reason why nothing can be written there, and what to do. */
function unwritable(folder: string, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error as Error;
  const first = code === 'ENOSPC' || code === 'EDQUOT' ? 'make room on that disk, or ' : '';
  const message = `${folder}, where a gateway leaves its address and token, cannot be written (${code}); ${first}set XDG_STATE_HOME to the absolute path of another folder`;
  return new GatewayError('NO_STATE_FOLDER', message, { cause: error });
}

/**
 * Makes this process the one gateway of a config, or names the one that is.
 *
 * @throws {GatewayError} `NO_STATE_FOLDER`
 */
export async function claimGateway(config: string, env: Environment): Promise<GatewayLock | LockHolder> {
  const folder = await ownFolder(config, env);
  const [beside, elsewhere] = lockFolders(folder);
  try {
    return await GatewayLock.acquire(beside);
  } catch (error) {
    if (!NO_SOCKETS.has((error as NodeJS.ErrnoException).code)) throw unwritable(folder, error);
  }
  try {
    const own = dirname(elsewhere);
    await mkdir(own, { recursive: true, mode: 0o700 });
    if (!(await isPrivate(own))) throw Object.assign(new Error(), { code: 'EACCES' });
    return await GatewayLock.acquire(elsewhere);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = `sockets can be made neither in ${folder} nor in ${elsewhere} (${code ?? String(error)}), so that two gateways of one config could run at a time; set XDG_STATE_HOME to a folder of a file system of this machine`;
    throw new GatewayError('NO_STATE_FOLDER', message, { cause: error });
  }
}

/** Whether a config has a gateway, which may not serve yet. */
export async function isClaimed(config: string, env: Environment): Promise<boolean> {
  const [beside, elsewhere] = lockFolders(gatewayFolder(config, env));
  if (await isLockHeld(beside)) return true;
  return (await isPrivate(dirname(elsewhere))) && (await isLockHeld(elsewhere));
}

/** Whether a folder is accessible to this user alone; the folder above it is everybody's. */
async function isPrivate(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}

/** The folder of the record, and one where sockets can be if they cannot be there. */
function lockFolders(folder: string): [beside: string, elsewhere: string] {
  const user = String(process.getuid?.() ?? '');
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  return [join(folder, 'lock'), join('/tmp', `holdfast-${user}`, name)];
}

function fileOf(config: string, env: Environment): string {
  return join(gatewayFolder(config, env), 'running.json');
}

/**
 * Writes the record of a gateway, for this user alone, because it has the token.
 *
 * @throws {GatewayError} `NO_STATE_FOLDER`
 */
export async function announce(gateway: RunningGateway, env: Environment): Promise<void> {
  const folder = await ownFolder(gateway.config, env);
  try {
    await writeFileAtomic(fileOf(gateway.config, env), JSON.stringify(gateway), { mode: 0o600 });
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/** Removes the record of this gateway, but not that of another one. */
export async function retract({ config, token }: Pick<RunningGateway, 'config' | 'token'>, env: Environment) {
  const found = await recordOf(config, env);
  if (found?.token === token) await rm(fileOf(config, env), { force: true });
}

/**
 * The gateway of a config; undefined when none runs. A config is known by its path as it is named, so that a link
 * stays the same config when it leads elsewhere. A gateway that was started by the path that a link leads to is found
 * by the link, and the other way round.
 */
export async function runningGateway(config: string, env: Environment): Promise<RunningGateway | undefined> {
  const real = await realpath(config).catch(() => config);
  for (const name of new Set([config, real])) {
    const found = await recordOf(name, env);
    if (found !== undefined && (await isRunning(found))) return found;
  }
  return config === real ? runningByLink(config, env) : undefined;
}

/** The gateway whose config is a link that leads to that file now. */
async function runningByLink(config: string, env: Environment): Promise<RunningGateway | undefined> {
  const all = dirname(dirname(gatewayFolder(config, env)));
  for await (const name of glob('*/*/running.json', { cwd: all })) {
    const found = await readRecord(join(all, name));
    if (found === undefined || found.config === config) continue;
    const real = await realpath(found.config).catch(() => undefined);
    if (real === config && (await isRunning(found))) return found;
  }
  return undefined;
}

/** Resolves with true when the gateway has ended, with false when the signal aborts before that. */
export async function gatewayEnded(gateway: RunningGateway, signal: AbortSignal): Promise<boolean> {
  if (gateway.lock !== undefined) await ended(gateway.lock, signal);
  // Its lock is gone, or was never there.
  while (!signal.aborted) {
    if (!(await isRunning(gateway))) return true;
    await delay(LOOK_MS);
  }
  return false;
}

/** The record left by a gateway that runs or by one that could not remove it. */
function recordOf(config: string, env: Environment): Promise<RunningGateway | undefined> {
  return readRecord(fileOf(config, env));
}

async function readRecord(file: string): Promise<RunningGateway | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(file, 'utf8'));
    return isRecord(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(found: unknown): found is RunningGateway {
  if (typeof found !== 'object' || found === null) return false;
  const { pid, url, token, config, lock, certificate } = found as Record<keyof RunningGateway, unknown>;
  const texts = [url, token, config, lock ?? '', certificate ?? ''];
  return typeof pid === 'number' && texts.every((text) => typeof text === 'string');
}

/** A process number says nothing: it may be another's by now, or this process's own, or that of a zombie. */
async function isRunning(gateway: RunningGateway): Promise<boolean> {
  const state = gateway.lock === undefined ? 'missing' : await lockState(gateway.lock);
  // The file was cleaned away, or the version had none.
  return state === 'missing' ? answers(gateway) : state === 'held';
}

/** Whether the gateway answers under its address, and takes its token. */
async function answers({ url, token, certificate, pid }: RunningGateway): Promise<boolean> {
  try {
    const send = await directFetch(url, certificate);
    const headers = { authorization: `Bearer ${token}` };
    const signal = AbortSignal.timeout(ASK_MS);
    const answer = await send(`${url}/v1/gateway`, { method: 'GET', headers, signal });
    return answer.ok && (JSON.parse(await answer.text()) as { pid?: unknown }).pid === pid;
  } catch {
    return false;
  }
}
