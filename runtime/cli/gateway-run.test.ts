import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { serviceProcesses } from '../gateway/fixtures/service-processes.ts';
import { runningGateway } from '../gateway/running.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const counter = fileURLToPath(new URL('../fixtures/counter.ts', import.meta.url));

/** `holdfast gateway run` as a process of its own, as systemd and containers start it. */
async function gatewayRun(config: object = {}) {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-run-')));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const file = join(home, 'openclaw.json');
  const agents = { counter: { type: 'thread-bound', threadId: 'pool', maxThreads: 2, module: counter } };
  await writeFile(file, JSON.stringify({ agents, gateway: { port: 0, reload: false }, ...config }));
  const temporary = join(home, 'tmp');
  await mkdir(temporary);
  const env = { ...process.env, XDG_STATE_HOME: join(home, 'state'), TMPDIR: temporary };
  const child = spawn(process.execPath, ['-C', 'holdfast-source', main, 'gateway', 'run', '-c', file], {
    env,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => (out += text));
  }
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  const logged = async (text: string, times = 1): Promise<void> => {
    await expect
      .poll(() => out.split(text).length - 1, { timeout: 60_000, interval: 20 })
      .toBeGreaterThanOrEqual(times);
  };
  return {
    child,
    ended,
    logged,
    log: () => out,
    services: () => serviceProcesses(child.pid),
    announced: () => runningGateway(file, env),
  };
}

/** Of a restart, in milliseconds; the nightly run has more of them. */
const moments =
  process.env['HOLDFAST_RUNS'] === undefined ? [0, 300, 700] : [0, 100, 200, 300, 400, 600, 900];

test(
  'a signal that stops it in the middle of a restart ends it, and a second one changes nothing',
  { timeout: 120_000 },
  async () => {
    for (const ms of moments) {
      const { child, ended, logged, log, services, announced } = await gatewayRun();
      await logged('the gateway serves');
      child.kill('SIGHUP');
      await delay(ms);
      const pids = services();
      expect(pids.length).toBeGreaterThanOrEqual(1);
      for (const signal of ['SIGTERM', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const) child.kill(signal);
      expect([...(await ended), log()]).toEqual([0, null, expect.any(String)]);
      expect(pids.filter((pid) => isThere(pid))).toEqual([]);
      expect(await announced()).toBeUndefined();
      expect(log()).toContain('the gateway has stopped');
      expect(log()).not.toContain('"level":"error"');
    }
  },
);

test('a signal that comes while it starts ends it', { timeout: 60_000 }, async () => {
  const { child, ended, services, announced } = await gatewayRun();
  await expect.poll(services, { timeout: 60_000, interval: 5 }).toHaveLength(1);
  const [pid = 0] = services();
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(isThere(pid)).toBe(false);
  expect(await announced()).toBeUndefined();
});

test('it ends with exit code 1 when its service crashes too often', { timeout: 120_000 }, async () => {
  const { ended, logged, log, services } = await gatewayRun();
  await logged('the gateway serves');
  for (let crash = 1; crash <= 6; crash += 1) {
    const [pid = 0] = await expect.poll(services, { timeout: 60_000 }).toHaveLength(1).then(services);
    process.kill(pid, 'SIGKILL');
    if (crash < 6) await logged('it is started again', crash);
  }
  expect([...(await ended), log()]).toEqual([1, null, expect.any(String)]);
  expect(log()).toContain('the service crashed too often');
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
