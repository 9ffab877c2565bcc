import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startModelServer } from '../examples/support-desk/model-server.ts';
import { blocks, exampleFolder } from './examples.fixture.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

test('a graph of LangGraph writes with a model, waits for somebody and goes on, in a closed pool and without a key', async () => {
  const key = 'CANARY-5e21-key-of-the-model';
  const model = await startModelServer({
    keys: [key],
    answer: () => ({ tokens: ['We refund', ' T-1002.'] }),
  });
  onTestFinished(() => model.close());
  const page = blocks(await readFile(join(root, 'docs/frameworks.md'), 'utf8'));
  const folder = await exampleFolder();
  for (const [info, text] of page) {
    const [, name] = /^ts (\S+)$/.exec(info) ?? [];
    if (name === undefined) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    // The model of the page is one on this machine.
    const local = text
      .replace("'api.openai.com'", `'${model.url}'`)
      .replace('configuration: {', `configuration: { baseURL: '${model.url}/v1',`);
    expect(local).not.toBe(text);
    await writeFile(join(folder, name), local);
  }
  const { stdout } = await run(process.execPath, ['-C', 'holdfast-source', join(folder, 'main.ts')], {
    cwd: root,
    timeout: 60_000,
    env: { ...process.env, OPENAI_API_KEY: key },
  });
  expect(stdout).toBe(page.find(([info]) => info === 'text output')?.[1]);
  expect(model.requests.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${key}`]);
});
