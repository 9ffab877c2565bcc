import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { blocks, exampleFolder } from './examples.fixture.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
describe.each(['messaging.md', 'stuck-agents.md'])('%s', (page) => {
  const all = blocks(readFileSync(join(root, 'docs', page), 'utf8'));
  const files = all.flatMap(([info, text]) => {
    const [, name] = /^ts (\S+\.ts)$/.exec(info) ?? [];
    return name === undefined ? [] : [[name, text] as const];
  });

  /** The example of the page in a folder of its own. */
  async function example(): Promise<string> {
    const folder = await exampleFolder();
    for (const [name, text] of files) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    return folder;
  }

  test('the example of the page prints what the page says', async () => {
    const folder = await example();
    const { stdout } = await run(process.execPath, ['-C', 'holdfast-source', join(folder, 'main.ts')], {
      cwd: root,
      timeout: 25_000,
    });
    expect(stdout).toBe(all.find(([info]) => info === 'text output')?.[1]);
  });

  test('the code of the page type-checks, and there is no other', async () => {
    expect(all.filter(([info]) => info.startsWith('ts'))).toHaveLength(files.length);
    const folder = await example();
    const config = {
      extends: join(root, 'tsconfig.json'),
      files: files.map(([name]) => name),
      include: [],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', folder], { timeout: 60_000 }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  });
});
