import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

test('a desk with a store that was killed while it traded goes on with the next passes, and closes its books', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-desk-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const store = join(folder, 'desk.db');
  const run = (seconds: string) => {
    const child = spawn(
      process.execPath,
      ['-C', 'holdfast-source', main, '--seconds', seconds, '--store', store],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    return { child, lines: createInterface({ input: child.stdout }) };
  };
  const first = run('12');
  for await (const line of first.lines)
    if (/trading \d+ %: [\d,]+ prices, [1-9][\d,]* signed orders/.test(line)) first.child.kill('SIGKILL');
  const second = run('1');
  const code = new Promise((resolve) => second.child.once('exit', resolve));
  const said: string[] = [];
  for await (const line of second.lines) said.push(line);
  expect([await code, said.filter((line) => line.startsWith('wrong:'))]).toEqual([0, []]);
  expect(said.join('\n')).toMatch(/books +shares .*\n +indices /);
}, 90_000);
