import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { ended, GatewayLock, isLockHeld, lockState } from './gateway-lock.ts';
import { claimGateway, gatewayFolder } from './running.ts';

function folder(...names: readonly string[]): string {
  const made = mkdtempSync(join(tmpdir(), 'holdfast-lock-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return join(made, ...names);
}

async function take(at: string): Promise<GatewayLock> {
  const lock = await GatewayLock.acquire(at);
  if (!(lock instanceof GatewayLock)) throw new Error(`somebody holds it: ${lock.pid}`);
  onTestFinished(() => lock.release());
  return lock;
}

const holding = fileURLToPath(new URL('fixtures/holding-lock.ts', import.meta.url));

/** A process that takes the lock, and says whether it has it. */
async function holder(at: string) {
  const child = spawn(process.execPath, [holding, at], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return { child, said: said.trim() };
}

test('of many that want a lock at once exactly one gets it, and the others learn who that is', async () => {
  const at = folder('lock');
  const all = await Promise.all(Array.from({ length: 12 }, () => GatewayLock.acquire(at)));
  const held = all.filter((one) => one instanceof GatewayLock);
  onTestFinished(() => held.forEach((one) => void one.release()));
  expect(held).toHaveLength(1);
  const others = all.filter((one) => !(one instanceof GatewayLock));
  expect(others).toEqual(Array.from({ length: 11 }, () => ({ pid: process.pid })));
  expect(readdirSync(at)).toHaveLength(1);
});

test('of processes that want it at once exactly one gets it', async () => {
  const at = folder('lock');
  const all = await Promise.all(Array.from({ length: 4 }, () => holder(at)));
  const pids = all.filter(({ said }) => said === 'held').map(({ child }) => child.pid);
  expect(pids).toHaveLength(1);
  expect(all.map(({ said }) => said).filter((said) => said !== 'held')).toEqual(
    Array.from({ length: 3 }, () => `of ${pids[0]}`),
  );
});

test('a lock dies with its owner, and what is left of it is in nobody’s way', async () => {
  const at = folder('lock');
  const { child, said } = await holder(at);
  expect(said).toBe('held');
  const [file = ''] = readdirSync(at).map((name) => join(at, name));
  expect(await lockState(file)).toBe('held');
  expect(await GatewayLock.acquire(at)).toEqual({ pid: child.pid });
  const over = ended(file, AbortSignal.timeout(10_000));
  child.kill('SIGKILL');
  expect(await over).toBe(true);
  expect(await lockState(file)).toBe('free');
  expect(await isLockHeld(at)).toBe(false);
  await take(at);
  expect(await isLockHeld(at)).toBe(true);
  expect(readdirSync(at)).toHaveLength(1);
});

test('whoever waits for the end of an owner that let go hears of it when the process has ended', async () => {
  const at = folder('lock');
  const { child } = await holder(at);
  const [file = ''] = readdirSync(at).map((name) => join(at, name));
  let isTold = false;
  const over = ended(file, AbortSignal.timeout(60_000)).then((isOver) => [isOver, isTold]);
  // Who asks after that is answered after that: it is connected.
  expect(await lockState(file)).toBe('held');
  child.stdin.write('release\n');
  await once(child.stdout, 'data');
  await take(at);
  isTold = true;
  child.stdin.end();
  await once(child, 'exit');
  expect(await over).toEqual([true, true]);
});

test('an owner that stands still keeps its lock', async () => {
  const at = folder('lock');
  const { child } = await holder(at);
  child.kill('SIGSTOP');
  expect(await GatewayLock.acquire(at)).toEqual({ pid: undefined });
  child.kill('SIGCONT');
  expect(await GatewayLock.acquire(at)).toEqual({ pid: child.pid });
}, 20_000);

test('a path that is longer than a socket’s name may be is no matter', async () => {
  const at = folder('a'.repeat(100), 'b'.repeat(200), 'lock');
  const { file } = await take(at);
  expect(Buffer.byteLength(file)).toBeGreaterThan(300);
  expect(await lockState(file)).toBe('held');
  expect(await GatewayLock.acquire(at)).toEqual({ pid: process.pid });
});

/** Where a file system has no sockets, as the kernel’s own have none; undefined where it is not allowed to try. */
async function withoutSockets(): Promise<string | undefined> {
  const server = createServer().listen('/sys/holdfast-test.lock');
  const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException];
  return error.code === 'EPERM' ? '/sys' : undefined;
}

test('where a file system has no sockets the lock is elsewhere, and as good', async ({ skip }) => {
  const none = await withoutSockets();
  if (none === undefined) skip('no file system without sockets can be written to here');
  const [config, env] = ['/desk/openclaw.json', { XDG_STATE_HOME: folder('state') }];
  mkdirSync(gatewayFolder(config, env), { recursive: true });
  symlinkSync(none ?? '', join(gatewayFolder(config, env), 'lock'));
  const lock = await claimGateway(config, env);
  if (!(lock instanceof GatewayLock)) throw new Error('nobody else has it');
  onTestFinished(() => lock.release());
  onTestFinished(() => rmSync(dirname(lock.file), { recursive: true, force: true }));
  expect(lock.file).toMatch(/^\/tmp\/holdfast-\d+\//);
  expect(await claimGateway(config, env)).toEqual({ pid: process.pid });
});

test('a state folder that cannot be had is told with what to do', async () => {
  const state = folder('file');
  writeFileSync(state, '');
  await expect(claimGateway('/desk/openclaw.json', { XDG_STATE_HOME: state })).rejects.toThrow(
    /file\/holdfast.*cannot be written \(ENOTDIR\).*XDG_STATE_HOME/,
  );
});
