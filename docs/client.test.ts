import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { Front } from '../runtime/gateway/front.ts';
import { newToken } from '../runtime/gateway/token-access.ts';
import { blocks, exampleFolder } from './examples.fixture.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

test('the example of client.md, with its gateway, prints what the page says', async () => {
  const page = blocks(await readFile(join(root, 'docs/client.md'), 'utf8'));
  const folder = await exampleFolder();
  for (const [info, text] of page) {
    const [, name] = /^(?:ts|json5) (\S+\.(?:ts|json))$/.exec(info) ?? [];
    if (name === undefined) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const token = newToken();
  const file = join(folder, 'openclaw.json');
  const front = await Front.start({ file, token, logger: silent, log: () => {}, failed: () => {} });
  onTestFinished(() => front.stop());
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-C', 'holdfast-source', join(folder, 'main.ts')],
    { cwd: root, timeout: 60_000, env: { ...process.env, GATEWAY_URL: front.url, GATEWAY_TOKEN: token } },
  );
  expect(stdout).toBe(page.find(([info]) => info === 'text output')?.[1]);
});
