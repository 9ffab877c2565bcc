import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import type { DeadLetter } from '../dead-letters/dead-letters.ts';
import { fixture, start } from '../fixtures/start.ts';
import type { MailboxRow } from './durable-store.ts';
import { openableStore } from './sqlite/sqlite-store.ts';

const program = fileURLToPath(new URL('../fixtures/fatal-run.ts', import.meta.url));

/** Runs a process over the store until it ends; what it has printed, unless it was killed. */
async function run(path: string): Promise<string | undefined> {
  const child = spawn(process.execPath, ['-C', 'holdfast-source', program, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const printed = text(child.stdout);
  await new Promise((resolve) => child.once('exit', resolve));
  return child.signalCode === 'SIGKILL' ? undefined : printed;
}

it('an event that kills the process becomes a dead letter after three starts, and all others are handled', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-fatal-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'agents.db');
  const first = await start(
    { agents: { account: fixture('account') } },
    { store: openableStore({ path, fsync: 'os' }) },
  );
  const at = Date.now() + 1;
  for (const id of ['a', 'b']) await first.spawn('account', { id });
  await first.stop();
  // Two processes that were killed as soon as they had started, as the first two are that meet the event.
  for (let i = 0; i < 2; i += 1) {
    const store = openableStore({ path, fsync: 'os' });
    const { firstRow } = await store.open({ now: Date.now, warn() {} });
    if (i === 0) {
      const row = (n: number, id: string, event: object): MailboxRow => ({
        n: firstRow + n,
        to: `account/${id}`,
        event: JSON.stringify(event),
        dueAt: 0,
        attempts: 0,
      });
      const rows = [
        row(0, 'a', { type: 'deposit', amount: 1 }),
        row(1, 'a', { type: 'kill' }),
        row(2, 'a', { type: 'deposit', amount: 2 }),
        row(3, 'b', { type: 'deposit', amount: 4 }),
      ];
      await store.commit({ id: 'rows', at, turns: [], rows });
    }
    await store.kill();
  }
  let printed: string | undefined;
  let starts = 0;
  for (; printed === undefined && starts < 8; starts += 1) printed = await run(path);
  expect(starts).toBe(4);
  const { totals, letters } = JSON.parse(printed ?? '') as {
    readonly totals: readonly number[];
    readonly letters: readonly DeadLetter[];
  };
  expect(totals).toEqual([3, 4]);
  // Who asked in between found the mailbox full.
  expect(letters.filter(({ reason }) => reason !== 'mailbox-full')).toMatchObject([
    {
      address: 'account/a',
      reason: 'poison',
      event: { type: 'kill' },
      stored: true,
      evidence: { cause: 'exit', error: { code: 'PROCESS_CRASHED' } },
    },
  ]);
}, 60_000);
