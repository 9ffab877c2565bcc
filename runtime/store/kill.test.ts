import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const program = fileURLToPath(new URL('../fixtures/bank-run.ts', import.meta.url));
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
