import { setTimeout as delay } from 'node:timers/promises';
import { loadForGateway } from '../../config/load.ts';
import { Front } from '../../gateway/front.ts';
import { GatewayError } from '../../gateway/gateway-error.ts';
import { GatewayLock, type LockHolder } from '../../gateway/gateway-lock.ts';
import { lineLogger } from '../../gateway/line-logger.ts';
import { written } from '../../gateway/log-output.ts';
import { PAUSED, RESUME } from '../../gateway/paused.ts';
import {
  announce,
  claimGateway,
  gatewayEnded,
  isClaimed,
  retract,
  type RunningGateway,
  runningGateway,
} from '../../gateway/running.ts';
import { digestOf, newToken } from '../../gateway/token-access.ts';
import { shownLines, shownText } from '../../base/shown-text.ts';
import { version } from '../../base/version.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { configOf, gatewayOf, type GatewayOptions, readinessOf, request } from '../gateway-client.ts';
import { startBehind } from '../start-behind.ts';
import { counted, paint, type Terminal } from '../terminal.ts';
import { whyUnready } from '../why-unready.ts';

interface Options extends GatewayOptions {
  /** Agents handle nothing until `gateway resume`. */
  readonly paused?: boolean;
  readonly json?: boolean;
}

/** A stop drains, and ends what does not end. */
const STOP_MS = 60_000;
const LOOK_MS = 50;

/**
 * In the foreground: for systemd, containers, and a look at what it logs. Ends with the signal that stops it, also while it starts;
 * a second one changes nothing.
 */
export async function gatewayRun({ config, paused = false }: Options, terminal: Terminal): Promise<ExitCode> {
  const { env } = terminal;
  const file = configOf(config, terminal);
  const running = await runningGateway(file, env);
  if (running !== undefined) throw runsAlready(running);
  const lock = await claimGateway(file, env);
  if (!(lock instanceof GatewayLock)) throw runsAlready((await runningGateway(file, env)) ?? lock);
  try {
    return await serve(file, lock, paused, terminal);
  } finally {
    await lock.release();
  }
}

function runsAlready({ pid, url }: LockHolder & { readonly url?: string }): GatewayError {
  const who = [url ?? 'it is starting or stopping', ...(pid === undefined ? [] : [`pid ${pid}`])].join(', ');
  return new GatewayError('RUNS_ALREADY', `a gateway of this config is already running: ${who}`);
}

async function serve(
  file: string,
  lock: GatewayLock,
  isPaused: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, env } = terminal;
  const logger = lineLogger((line) => void stdout.write(line));
  const [token, startedAt, { pid }] = [newToken(), Date.now(), process];
  const ended = Promise.withResolvers<ExitCode>();
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
        logger.error({ error }, 'the restart failed; the old process keeps serving');
      });
  };
  let announced = Promise.resolve();
  let isAnnounced = false;
  const starting = Front.start({
    file,
    token,
    logger,
    isPaused,
    log: (text) => written(stdout, text),
    serves: ({ url, certificate }) => {
      const of = { pid, url, token, config: file, version, startedAt, lock: lock.file };
      const record = { ...of, ...(certificate !== undefined && { certificate }) };
      isAnnounced = true;
      announced = announced.catch(() => {}).then(() => announce(record, env));
      // Whoever has the old one finds it as long as its address stays.
      announced.catch((error: unknown) =>
        logger.error({ error }, 'the file that says where the gateway is cannot be written'),
      );
    },
    failed: (error) => {
      logger.error({ error }, 'the gateway gives up');
      ended.resolve(EXIT.failed);
    },
    signal: stopping.signal,
  });
  process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', again);
  try {
    const front = await starting;
    try {
      // Nobody would find it.
      await announced;
      const fields = { url: front.url, config: file, version };
      if (isPaused) logger.warn(fields, `the gateway serves, and is paused: ${PAUSED}`);
      else logger.info(fields, 'the gateway serves');
      terminal.starter?.({ serves: true });
      return await ended.promise;
    } finally {
      await front.stop();
    }
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    return EXIT.ok;
  } finally {
    await announced.catch(() => {});
    if (isAnnounced) {
      await retract({ config: file, token }, env);
      logger.info({}, 'the gateway has stopped');
    }
    process.removeListener('SIGTERM', end).removeListener('SIGINT', end).removeListener('SIGHUP', again);
  }
}

/** In the background; resolves when it serves. */
export async function gatewayStart(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { config, paused } = options;
  const { env } = terminal;
  const file = configOf(config, terminal);
  const before = await runningGateway(file, env);
  if (before !== undefined) return started('start', 'already-running', before, options, terminal);
  // What is wrong with the config is told here, and not in a log.
  await loadForGateway(file);
  const { result, running } = await startBehind(file, terminal, paused === true ? ['--paused'] : []);
  return started('start', result, running, options, terminal);
}

export async function gatewayStop({ config, json }: Options, terminal: Terminal): Promise<ExitCode> {
  const { env } = terminal;
  const file = configOf(config, terminal);
  const running = await servingOf(file, env);
  if (running === undefined && (await isClaimed(file, env))) {
    const message = `a gateway of ${file} is starting or stopping, or the file that says where it is was removed: end its process with SIGTERM`;
    throw new GatewayError('STOP_FAILED', message);
  }
  if (running === undefined) return done('stop', 'not-running', undefined, json, terminal);
  const refused = new AbortController();
  const ended = gatewayEnded(running, AbortSignal.any([AbortSignal.timeout(STOP_MS), refused.signal]));
  await request(running, 'POST', '/v1/gateway/stop').catch((error: unknown) => {
    refused.abort();
    throw error;
  });
  if (!(await ended)) {
    throw new GatewayError(
      'STOP_FAILED',
      `pid ${running.pid} did not end within ${STOP_MS} ms; its log says what it is doing`,
    );
  }
  await retract(running, env);
  return done('stop', 'stopped', undefined, json, terminal);
}

/** One that is about to serve is waited for: who stops it wants it not to run afterwards. */
async function servingOf(file: string, env: Terminal['env']): Promise<RunningGateway | undefined> {
  const until = Date.now() + STOP_MS;
  for (;;) {
    const running = await runningGateway(file, env);
    if (running !== undefined || Date.now() > until || !(await isClaimed(file, env))) return running;
    await delay(LOOK_MS);
  }
}

/**
 * A new process takes over, without a lost request; one that does not run is started. `force`: also with code that some of
 * the states in the store do not fit.
 */
export async function gatewayRestart(
  options: Options & { readonly force?: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const { json, stdout } = { json: options.json, stdout: terminal.stdout };
  const file = configOf(options.config, terminal);
  const running = await runningGateway(file, terminal.env);
  if (running === undefined) {
    await loadForGateway(file);
    const begun = await startBehind(file, terminal);
    return done('restart', begun.result, begun.running, json, terminal);
  }
  const body = options.force === true ? { force: true } : undefined;
  const found = (await request(running, 'POST', '/v1/gateway/restart', body)) as {
    instances: number;
    heldMs: number;
    lost: { address: string; why: string }[];
  };
  const { instances, heldMs, lost } = found;
  const warnings = lost.map(({ address, why }) => `${address} starts afresh: ${why}`);
  const paused = await isPausedNow(running);
  if (json === true)
    return done('restart', 'restarted', running, json, terminal, {
      instances,
      heldMs,
      warnings,
      ...(paused && { paused, next: RESUME }),
    });
  for (const warning of warnings) stdout.write(`${paint(terminal)('yellow', '!')} ${warning}\n`);
  stdout.write(`Restarted: ${counted(instances, 'instance')} went on, requests waited ${heldMs} ms.\n`);
  if (paused) stdout.write(`${paint(terminal)('yellow', 'It is still paused')}: ${PAUSED}\n`);
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

/** Has the agents of a gateway that was started paused handle what comes, and what waits. */
export async function gatewayResume(options: Options, terminal: Terminal): Promise<ExitCode> {
  const gateway = await gatewayOf(options, terminal);
  const { result } = (await request(gateway, 'POST', '/v1/gateway/resume')) as { result: string };
  if (options.json === true)
    terminal.stdout.write(`${JSON.stringify({ action: 'resume', ok: true, result })}\n`);
  else terminal.stdout.write(result === 'running' ? 'It was not paused.\n' : 'Resumed.\n');
  return EXIT.ok;
}

export async function gatewayStatus(options: Options, terminal: Terminal): Promise<ExitCode> {
  const { stdout } = terminal;
  const file = options.url === undefined ? configOf(options.config, terminal) : undefined;
  const running = file === undefined ? undefined : await runningGateway(file, terminal.env);
  if (file !== undefined && running === undefined) {
    const isStarting = await isClaimed(file, terminal.env);
    if (options.json === true)
      stdout.write(`${JSON.stringify({ running: false, starting: isStarting, config: file })}\n`);
    else
      stdout.write(
        isStarting
          ? `A gateway of ${file} is starting or stopping.\n`
          : `No gateway of ${file} is running.\n`,
      );
    return EXIT.failed;
  }
  const gateway = running ?? (await gatewayOf(options, terminal));
  const status = (await request(gateway, 'GET', '/v1/gateway')) as Record<string, unknown>;
  const readiness = await readinessOf(gateway);
  if (options.json === true) {
    stdout.write(`${JSON.stringify({ running: true, gateway: status, readiness }, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const colour = paint(terminal);
  const verdict =
    readiness.ready === true ? colour('green', 'ready') : colour('yellow', shownLines(whyUnready(readiness)));
  const {
    url,
    pid,
    servicePid,
    serviceVersion,
    version: front,
    restarts,
    certificate,
    configProblem,
  } = status;
  stdout.write(`${String(url)}: ${verdict}\n`);
  stdout.write(
    `version ${String(serviceVersion ?? front)}, pid ${String(pid)}, service ${String(servicePid)}, restarts ${String(restarts)}\n`,
  );
  if (typeof certificate === 'string') stdout.write(`certificate ${certificate}\n`);
  if (typeof configProblem === 'string') {
    const problem = shownText(configProblem.split('\n', 2).join(' '));
    stdout.write(
      `${colour('yellow', '!')} the config on disk cannot take effect; the last good one stays in use: ${problem}\n`,
    );
  }
  return EXIT.ok;
}

/** Whether it handles nothing until it is resumed. */
async function isPausedNow(running: RunningGateway): Promise<boolean> {
  const { paused } = (await request(running, 'GET', '/v1/gateway')) as { readonly paused?: boolean };
  return paused === true;
}

/** One that runs now: says also whether it is paused, and that it is not though it was to be. */
async function started(
  action: string,
  result: string,
  running: RunningGateway,
  { json, paused: isAsked = false }: Options,
  terminal: Terminal,
): Promise<ExitCode> {
  const paused = await isPausedNow(running);
  done(action, result, running, json, terminal, paused ? { paused, next: RESUME } : {});
  if (json === true || (!paused && !isAsked)) return EXIT.ok;
  const [how, what] = paused
    ? ['It is paused', PAUSED]
    : ['It is not paused', 'holdfast gateway stop, and then start it with --paused'];
  terminal.stdout.write(`${paint(terminal)('yellow', how)}: ${what}\n`);
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
