import { mkdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { projectOf } from '../project.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A gateway that runs, as others of the same user find it. */
export interface RunningGateway {
  readonly pid: number;
  readonly url: string;
  /** May do everything. */
  readonly token: string;
  readonly config: string;
  readonly version: string;
  /** The SHA-256 fingerprint of its certificate, when it serves https. */
  readonly certificate?: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** `$XDG_STATE_HOME/holdfast/gateways/<project>`, or below `~/.local/state`: what a gateway of that config leaves there. */
export function gatewayFolder(config: string, env: Environment): string {
  const { XDG_STATE_HOME: state } = env;
  const base = state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local', 'state');
  return join(base, 'holdfast', 'gateways', projectOf(dirname(config)), basename(config));
}

function fileOf(config: string, env: Environment): string {
  return join(gatewayFolder(config, env), 'running.json');
}

/** For this user alone: it has the token. */
export async function announce(gateway: RunningGateway, env: Environment): Promise<void> {
  const file = fileOf(gateway.config, env);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFileAtomic(file, JSON.stringify(gateway), { mode: 0o600 });
}

export async function retract(config: string, env: Environment): Promise<void> {
  await rm(fileOf(config, env), { force: true });
}

/** The gateway of a config; undefined when none runs. */
export async function runningGateway(config: string, env: Environment): Promise<RunningGateway | undefined> {
  try {
    const found = JSON.parse(await readFile(fileOf(config, env), 'utf8')) as RunningGateway;
    return isAlive(found.pid) ? found : undefined;
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
