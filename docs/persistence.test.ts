import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { SnapshotStore } from 'holdfast';
import { snapshotStoreCases } from 'holdfast/testing';
import { blocks, exampleFolder } from './examples.fixture.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

/** One file of a page, in a folder that finds `holdfast`. */
async function written(page: string, name: string): Promise<string> {
  const file = join(await exampleFolder(), name);
  const text = blocks(readFileSync(join(root, 'docs', page), 'utf8')).find(
    ([info]) => info === `ts ${name}`,
  )?.[1];
  await writeFile(file, text ?? '');
  return file;
}

test('the store of the guide keeps every rule', async () => {
  const file = await written('persistence.md', 'text-store.ts');
  const { textStore } = (await import(pathToFileURL(file).href)) as {
    textStore: (table?: Map<string, string>) => SnapshotStore;
  };
  let table: Map<string, string>;
  const cases = snapshotStoreCases({
    create: () => textStore((table = new Map())),
    reopen: () => textStore(table),
  });
  expect(cases.length).toBeGreaterThan(15);
  for (const { name, run } of cases) {
    await run().catch((error: unknown) => {
      throw new Error(name, { cause: error });
    });
  }
});

test('the test of a store in testing.md runs with the runner of Node', async () => {
  const file = await written('testing.md', 'store.test.ts');
  const { stdout } = await run(
    process.execPath,
    ['-C', 'holdfast-source', '--test', '--test-reporter=tap', file],
    { cwd: root, timeout: 60_000 },
  );
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(stdout).toMatch(/^# pass 18$/m);
});
