import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createActor, waitFor } from 'xstate';
import securityAgent, { type SecurityEmitted } from './security-agent.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'desk-scan-'));
  await writeFile(join(folder, 'clean.txt'), 'nothing here\n');
  await writeFile(join(folder, 'dirty.env'), 'A=1\nPASSWORD=made-up-value\nAPI_KEY=made-up-api-key\n');
  await writeFile(join(folder, 'huge.log'), '');
  await truncate(join(folder, 'huge.log'), 2 * 1024 * 1024);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function scan(files: readonly string[]) {
  const actor = createActor(securityAgent, { input: { folder } });
  const emitted: SecurityEmitted[] = [];
  actor.on('*', (event) => emitted.push(event));
  actor.start();
  for (const file of files) actor.send({ type: 'file', file });
  const done = await waitFor(
    actor,
    ({ context }) => context.scanned + context.skipped.length === files.length,
    { timeout: 60_000 },
  );
  return { emitted, context: done.context, value: done.value };
}

test('it reads the files it is told of, in order, and is idle again', async () => {
  const { emitted, context, value } = await scan(['clean.txt', 'dirty.env']);
  expect(value).toBe('idle');
  expect(context).toMatchObject({ scanned: 2, skipped: [], waiting: [] });
  expect(emitted).toEqual([
    { type: 'scanned', file: 'clean.txt', findings: [] },
    {
      type: 'scanned',
      file: 'dirty.env',
      findings: [
        { file: 'dirty.env', line: 2, kind: 'password' },
        { file: 'dirty.env', line: 3, kind: 'api-key' },
      ],
    },
  ]);
});

test('what it found is nowhere in what it says or keeps', async () => {
  const { emitted, context } = await scan(['dirty.env']);
  expect(JSON.stringify([emitted, context])).not.toContain('made-up');
});

test('a missing file and one that is too large are skipped, by name, and the next is read', async () => {
  const { emitted, context } = await scan(['absent.txt', 'huge.log', 'clean.txt']);
  expect(context).toMatchObject({ scanned: 1, skipped: ['absent.txt', 'huge.log'] });
  expect(emitted.map((event) => event.type)).toEqual(['skipped', 'skipped', 'scanned']);
});
