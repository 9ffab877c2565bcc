import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../config/load.ts';
import { Front } from '../../gateway/front.ts';
import { lineLogger } from '../../gateway/line-logger.ts';
import { written } from '../../gateway/log-output.ts';
import {
  announce,
  gatewayFolder,
  isAlive,
  retract,
  type RunningGateway,
  runningGateway,
} from '../../gateway/running.ts';
import { digestOf, newToken } from '../../gateway/token-access.ts';
import { version } from '../../version.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { configOf, GatewayError, gatewayOf, type GatewayOptions, request } from '../gateway-client.ts';
import { counted, paint, type Terminal } from '../terminal.ts';

interface Options extends GatewayOptions {
  readonly json?: boolean;
}

/** A start loads modules and fetches secrets. */
const START_MS = 90_000;
/** A stop drains, and ends what does not end. */
const STOP_MS = 60_000;
const LOOK_MS = 50;

/**
 * In the foreground: for systemd, containers, and a look at what it logs. Ends with the signal that stops it, also while it starts;
 * a second one changes nothing.
 */
export async function gatewayRun({ config }: Options, terminal: Terminal): Promise<ExitCode> {
  const { stdout, env } = terminal;
  const file = await configOf(config, terminal);
  const logger = lineLogger((line) => void stdout.write(line));
  const running = await runningGateway(file, env);
  if (running !== undefined) {
    throw new GatewayError(
      'RUNS_ALREADY',
      `a gateway of this config runs already: ${running.url}, pid ${running.pid}`,
    );
  }
  const token = newToken();
  const startedAt = Date.now();
  const ended = Promise.withResolvers<ExitCode>();
  const fail = (error: unknown): void => {
    logger.error({ error }, 'the gateway gives up');
    ended.resolve(EXIT.failed);
  };
  const stopping = new AbortController();
  const end = (): void => {
    stopping.abort();
    ended.resolve(EXIT.ok);
  };
  const again = (): void => {
    starting
      .then((front) => front.restart())
      .catch((error: unknown) => {
        if (stopping.signal.aborted) return;
        logger.error({ error }, 'the restart failed; the old process goes on');
      });
  };
  let announced = Promise.resolve();
  let isAnnounced = false;
  const starting = Front.start({
    file,
    token,
    logger,
    log: (text) => written(stdout, text),
    serves: ({ url, certificate }) => {
      const found = { pid: process.pid, url, token, config: file, version, startedAt };
      isAnnounced = true;
      announced = announced
        .then(() => announce({ ...found, ...(certificate !== undefined && { certificate }) }, env))
        .catch(fail);
    },
    failed: fail,
    signal: stopping.signal,
  });
  process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', again);
  try {
    const front = await starting;
    await announced;
    logger.info({ url: front.url, config: file, version }, 'the gateway serves');
    const code = await ended.promise;
    await front.stop();
    return code;
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    return EXIT.ok;
  } finally {
    await announced;
    if (isAnnounced) {
      await retract(file, env);
      logger.info({}, 'the gateway has stopped');
    }
    process.removeListener('SIGTERM', end).removeListener('SIGINT', end).removeListener('SIGHUP', again);
  }
}

/** In the background; resolves when it serves. */
export async function gatewayStart({ config, json }: Options, terminal: Terminal): Promise<ExitCode> {
  const { env } = terminal;
  const file = await configOf(config, terminal);
  const before = await runningGateway(file, env);
  if (before !== undefined) return done('start', 'already-running', before, json, terminal);
  // What is wrong with the config is told here, and not in a log.
  await loadConfig(file);
  return done('start', 'started', await startBehind(file, terminal), json, terminal);
}

async function startBehind(file: string, { env }: Terminal): Promise<RunningGateway> {
  const folder = gatewayFolder(file, env);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const logFile = join(folder, 'gateway.log');
  const log = openSync(logFile, 'a', 0o600);
  const main = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
  );
  const source = import.meta.url.endsWith('.ts') ? ['-C', 'holdfast-source'] : [];
  const child = spawn(process.execPath, [...source, main, 'gateway', 'run', '-c', file], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env },
  });
  closeSync(log);
  let isOver = false;
  child.once('exit', () => (isOver = true)).once('error', () => (isOver = true));
  const until = Date.now() + START_MS;
  while (Date.now() < until) {
    const found = await runningGateway(file, env);
    if (found !== undefined && found.pid === child.pid) {
      child.unref();
      return found;
    }
    if (isOver) throw new GatewayError('START_FAILED', `the gateway ended as it started:\n${tail(logFile)}`);
    await delay(LOOK_MS);
  }
  child.kill('SIGKILL');
  throw new GatewayError(
    'START_FAILED',
    `the gateway did not serve within ${START_MS} ms; its log is ${logFile}`,
  );
}

export async function gatewayStop({ config, json }: Options, terminal: Terminal): Promise<ExitCode> {
  const { env } = terminal;
  const file = await configOf(config, terminal);
  const running = await runningGateway(file, env);
  if (running === undefined) return done('stop', 'not-running', undefined, json, terminal);
  await request(running, 'POST', '/v1/gateway/stop');
  const until = Date.now() + STOP_MS;
  while (isAlive(running.pid)) {
    if (Date.now() > until) {
      throw new GatewayError(
        'STOP_FAILED',
        `pid ${running.pid} did not end within ${STOP_MS} ms; its log says at what it is`,
      );
    }
    await delay(LOOK_MS);
  }
  await retract(file, env);
  return done('stop', 'stopped', undefined, json, terminal);
}

/** A new process takes over, without a lost request; one that does not run is started. */
export async function gatewayRestart(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { json, stdout } = { json: options.json, stdout: terminal.stdout };
  const file = await configOf(options.config, terminal);
  const running = await runningGateway(file, terminal.env);
  if (running === undefined) {
    await loadConfig(file);
    return done('restart', 'started', await startBehind(file, terminal), json, terminal);
  }
  const found = (await request(running, 'POST', '/v1/gateway/restart')) as {
    instances: number;
    heldMs: number;
    lost: { address: string; why: string }[];
  };
  const { instances, heldMs, lost } = found;
  const warnings = lost.map(({ address, why }) => `${address} begins anew: ${why}`);
  if (json === true)
    return done('restart', 'restarted', running, json, terminal, { instances, heldMs, warnings });
  for (const warning of warnings) stdout.write(`${paint(terminal)('yellow', '!')} ${warning}\n`);
  stdout.write(`Restarted: ${counted(instances, 'instance')} went on, requests waited ${heldMs} ms.\n`);
  return EXIT.ok;
}

/** Has the config as it is now take effect. */
export async function gatewayReload(options: Options, terminal: Terminal): Promise<ExitCode> {
  const gateway = await gatewayOf(options, terminal);
  const { result } = (await request(gateway, 'POST', '/v1/gateway/reload')) as { result: string };
  if (options.json === true)
    terminal.stdout.write(`${JSON.stringify({ action: 'reload', ok: true, result })}\n`);
  else terminal.stdout.write(`Reloaded: ${result === 'nothing' ? 'nothing had changed' : result}.\n`);
  return EXIT.ok;
}

export async function gatewayStatus(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { stdout } = terminal;
  const file = options.url === undefined ? await configOf(options.config, terminal) : undefined;
  const isRunning = file === undefined || (await runningGateway(file, terminal.env)) !== undefined;
  if (!isRunning) {
    if (options.json === true) stdout.write(`${JSON.stringify({ running: false, config: file })}\n`);
    else stdout.write(`No gateway of ${file} runs.\n`);
    return EXIT.failed;
  }
  const gateway = await gatewayOf(options, terminal);
  const status = (await request(gateway, 'GET', '/v1/gateway')) as Record<string, unknown>;
  const ready = await request(gateway, 'GET', '/readyz').catch(() => ({ ready: false }));
  const readiness = ready as { ready: boolean };
  if (options.json === true) {
    stdout.write(`${JSON.stringify({ running: true, gateway: status, readiness }, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const colour = paint(terminal);
  const verdict = readiness.ready ? colour('green', 'ready') : colour('yellow', 'not ready');
  const { url, pid, servicePid, serviceVersion, version: front, restarts, configProblem } = status;
  stdout.write(`${String(url)}: ${verdict}\n`);
  stdout.write(
    `version ${String(serviceVersion ?? front)}, pid ${String(pid)}, service ${String(servicePid)}, restarts ${String(restarts)}\n`,
  );
  if (configProblem !== undefined) {
    stdout.write(
      `${colour('yellow', '!')} the config has changed and is invalid; the last good one serves\n`,
    );
  }
  return EXIT.ok;
}

/** A new token, and what of it goes into the config. It is shown this once. */
export function gatewayToken(
  { name = 'desk', json }: { name?: string; json?: boolean },
  { stdout }: Terminal,
): ExitCode {
  const token = newToken();
  const sha256 = digestOf(token);
  if (json === true)
    stdout.write(`${JSON.stringify({ token, config: { gateway: { tokens: { [name]: { sha256 } } } } })}\n`);
  else {
    stdout.write(`The token, shown this once:\n\n  ${token}\n\nIn the config:\n\n`);
    stdout.write(
      `  gateway: { tokens: { ${JSON.stringify(name)}: { sha256: '${sha256}', agents: ['*'], allow: ['read', 'send'] } } }\n`,
    );
  }
  return EXIT.ok;
}

function done(
  action: string,
  result: string,
  running: RunningGateway | undefined,
  json: boolean | undefined,
  { stdout }: Terminal,
  more: object = {},
): ExitCode {
  const { url, pid } = running ?? {};
  const service = { label: 'holdfast', loaded: running !== undefined, ...(running && { url, pid }) };
  if (json === true) stdout.write(`${JSON.stringify({ action, ok: true, result, service, ...more })}\n`);
  else
    stdout.write(running === undefined ? `Gateway ${result}.\n` : `Gateway ${result}: ${url}, pid ${pid}.\n`);
  return EXIT.ok;
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n');
}
