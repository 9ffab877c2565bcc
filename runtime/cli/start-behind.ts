import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '../base/errors.ts';
import { GatewayError } from '../gateway/gateway-error.ts';
import { isClaimed, ownFolder, type RunningGateway, runningGateway } from '../gateway/running.ts';
import type { Terminal } from './terminal.ts';

/** A start loads modules and fetches secrets. */
const START_MS = 90_000;
const LOOK_MS = 50;
const MOST_LINES = 10;

/** What a gateway tells who started it. */
interface Told {
  readonly serves?: true;
  readonly failed?: { readonly code?: string; readonly message: string };
  /** It tells nothing any more. */
  readonly ended?: string;
}

/** What a start came to: this one runs now, or another start was faster. */
export interface StartedBehind {
  readonly result: 'started' | 'already-running';
  readonly running: RunningGateway;
}

/**
 * Starts a gateway in the background; resolves when it serves. `more`: further options of `gateway run`.
 *
 * @throws {HoldfastError} what it failed with
 * @throws {GatewayError} `START_FAILED` when it does not say
 */
export async function startBehind(
  file: string,
  { env }: Terminal,
  more: readonly string[] = [],
): Promise<StartedBehind> {
  const until = Date.now() + START_MS;
  const logFile = join(await ownFolder(file, env), 'gateway.log');
  const log = openSync(logFile, 'a', 0o600);
  const { size } = statSync(logFile);
  const isSource = import.meta.url.endsWith('.ts');
  const main = fileURLToPath(new URL(isSource ? './main.ts' : './main.js', import.meta.url));
  const source = isSource ? ['-C', 'holdfast-source'] : [];
  const child = spawn(process.execPath, [...source, main, 'gateway', 'run', '-c', file, ...more], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, ...env, HOLDFAST_STARTER: '1' },
  });
  closeSync(log);
  const exited = new Promise<Told>((resolve) => {
    const ended = (how: unknown): void => resolve({ ended: String(how) });
    // What it has told comes first.
    child.once('exit', (code, signal) => {
      const how = signal ?? `exit code ${code}`;
      if (child.connected) child.once('disconnect', () => setImmediate(ended, how));
      else setImmediate(ended, how);
    });
    child.once('error', ended);
  });
  const told = new Promise<Told>((resolve) => child.once('message', (message) => resolve(message as Told)));
  const late = new AbortController();
  const wait = delay(START_MS, {}, { signal: late.signal }).catch(() => ({}));
  const { serves, failed, ended }: Told = await Promise.race([told, exited, wait]);
  late.abort();
  if (failed?.code === 'RUNS_ALREADY') {
    const running = await found(file, env, until);
    if (running !== undefined) return { result: 'already-running', running };
  }
  if (failed !== undefined) throw failure(failed);
  if (ended !== undefined) throw failure({ message: `it ended (${ended})${since(logFile, size)}` });
  const running = serves === true ? await runningGateway(file, env) : undefined;
  if (running !== undefined) {
    if (child.connected) child.disconnect();
    child.unref();
    return { result: 'started', running };
  }
  child.kill('SIGKILL');
  throw new GatewayError(
    'START_FAILED',
    `the gateway did not serve within ${START_MS} ms; its log is ${logFile}`,
  );
}

function failure({ code, message }: NonNullable<Told['failed']>): Error {
  const text = `the gateway ended while it started: ${message}`;
  if (code === 'CONFIG_INVALID' || code === 'AGENT_MODULE_NOT_FOUND') return new HoldfastError(code, message);
  return new GatewayError('START_FAILED', text);
}

/** The one that another start has begun, when it serves. */
async function found(file: string, env: Terminal['env'], until: number): Promise<RunningGateway | undefined> {
  for (;;) {
    const running = await runningGateway(file, env);
    if (running !== undefined || Date.now() > until || !(await isClaimed(file, env))) return running;
    await delay(LOOK_MS);
  }
}

/** What was written to the log since. */
function since(logFile: string, size: number): string {
  const text = readFileSync(logFile).subarray(size).toString('utf8').trimEnd();
  return text === ''
    ? `, and its log ${logFile} does not say why`
    : `:\n${text.split('\n').slice(-MOST_LINES).join('\n')}`;
}
