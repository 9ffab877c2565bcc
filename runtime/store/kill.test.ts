import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const program = fileURLToPath(new URL('../fixtures/bank-run.ts', import.meta.url));
const errands = fileURLToPath(new URL('../fixtures/errand-run.ts', import.meta.url));
const ACCOUNTS = 8;

interface Found {
  readonly total: number;
  readonly deposits: number;
}

/** Runs the bank until `acks` deposits were acknowledged, and ends it with SIGKILL in the middle of its work. */
async function run(path: string, acks: number): Promise<{ found: Found[]; acknowledged: number[] }> {
  const child = spawn(
    process.execPath,
    ['-C', 'holdfast-source', program, path, String(ACCOUNTS), '2', '4'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const acknowledged = Array.from({ length: ACCOUNTS }, () => 0);
  let found: Found[] = [];
  let left = acks;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) ({ found } = JSON.parse(line) as { found: Found[] });
    else {
      const [account = 0, total = 0] = line.split(' ').map(Number);
      acknowledged[account] = Math.max(acknowledged[account] ?? 0, total);
      left -= 1;
      if (left === 0) child.kill('SIGKILL');
    }
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  return { found, acknowledged };
}

it('keeps every deposit that was acknowledged before the process was killed, and each of them whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'bank.db');
  let before = Array.from({ length: ACCOUNTS }, () => 0);
  for (let kills = 0; kills < 3; kills += 1) {
    const { found, acknowledged } = await run(path, 500);
    for (const [i, { total, deposits }] of found.entries()) {
      expect(total).toBeGreaterThanOrEqual(before[i] ?? 0);
      expect(total).toBe(deposits);
    }
    before = acknowledged;
  }
});

/** Runs an errand until it says that, and ends the process there with SIGKILL; returns all that it said. */
async function until(said: string, path: string, ...ids: readonly string[]): Promise<string[]> {
  const child = spawn(process.execPath, ['-C', 'holdfast-source', errands, path, said, ...ids], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line === said) child.kill('SIGKILL');
  }
  return lines;
}

it('a chain of three steps goes on at the step it was at, whenever its process is killed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'errands.db');
  const [key = '', ...first] = await until('kept a', path, 'x');
  expect(key).toMatch(/^key [0-9a-f-]{36}$/);
  expect(first).toEqual(['does a', 'kept a']);
  expect(await until('does b', path)).toEqual([key, 'kept a', 'does b']);
  expect(await until('kept b', path)).toEqual([key, 'kept a', 'does b', 'kept b']);
  expect(await until('back', path)).toEqual([key, 'kept a', 'kept b', 'does c', 'kept c', 'back']);
});
