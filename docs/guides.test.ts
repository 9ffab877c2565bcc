import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startSecretsManagerEmulator } from '../providers/emulator/secrets-manager-emulator.ts';
import { projectFiles, templateNames } from '../runtime/cli/templates.ts';
import { blocks, exampleFolder, filesOfReadme } from './examples.fixture.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

/** The files of the example of a page. */
function filesOf(page: string): (readonly [name: string, text: string])[] {
  return blocks(readFileSync(join(root, 'docs', page), 'utf8')).flatMap(([info, text]) => {
    const [, name] = /^(?:ts|json5) (\S+\.(?:ts|json))$/.exec(info) ?? [];
    return name === undefined ? [] : [[name, text] as const];
  });
}

function outputOf(page: string): string | undefined {
  return blocks(readFileSync(join(root, 'docs', page), 'utf8')).find(([info]) => info === 'text output')?.[1];
}

/** The example of a page in a folder of its own. */
async function example(page: string): Promise<string> {
  return written(filesOf(page));
}

async function written(files: readonly (readonly [name: string, text: string])[]): Promise<string> {
  const folder = await exampleFolder();
  for (const [name, text] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const pages = ['messaging.md', 'stuck-agents.md', 'first-agent.md', 'pools.md', 'streaming.md', 'schemas.md'];

/** A page whose example is one part of it, beside pieces of code. */
const parts = ['durability.md'];

test.for([...pages, ...parts])('the example of %s prints what the page says', async (page) => {
  const folder = await example(page);
  const { stdout } = await run(process.execPath, ['-C', 'holdfast-source', join(folder, 'main.ts')], {
    cwd: root,
    timeout: 60_000,
  });
  expect(stdout).toBe(outputOf(page));
});

test('the code of the guides, of the README and of new projects type-checks, and the guides have no other', async () => {
  const found: string[] = [];
  const readme = filesOfReadme(readFileSync(join(root, 'README.md'), 'utf8'));
  const projects = templateNames.map((template) => Array.from(projectFiles('desk', '*', template)));
  for (const project of [readme, ...projects]) {
    const files = project.filter(([name]) => name.endsWith('.ts'));
    const folder = await written(files);
    found.push(...files.map(([name]) => join(folder, name)));
  }
  for (const page of [...pages, 'aws.md', 'client.md', 'models.md', 'frameworks.md']) {
    const files = filesOf(page).filter(([name]) => name.endsWith('.ts'));
    const all = blocks(readFileSync(join(root, 'docs', page), 'utf8'));
    expect([page, all.filter(([info]) => info.startsWith('ts')).length]).toEqual([page, files.length]);
    const folder = await example(page);
    found.push(...files.map(([name]) => join(folder, name)));
  }
  for (const page of parts) {
    const folder = await example(page);
    for (const [name] of filesOf(page)) if (name.endsWith('.ts')) found.push(join(folder, name));
  }
  // Of the guide about tests, those that need its agent.
  const testing = await example('testing.md');
  found.push(...['trader.test.ts', 'restart.test.ts', 'agents/trader.ts'].map((name) => join(testing, name)));
  // In one go: most of the time goes into the types of what they import.
  const folder = await exampleFolder();
  const config = { extends: join(root, 'tsconfig.json'), files: found, include: [] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [tsc, '-p', folder], { timeout: 110_000 }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe('');
});

test('the example of aws.md, with the service, prints what the page says when its key is rotated', async () => {
  const emulator = await startSecretsManagerEmulator();
  onTestFinished(() => emulator.stop());
  emulator.put('prod/exchange/key', 'the first');
  const folder = await example('aws.md');
  const config = join(folder, 'openclaw.json');
  const text = await readFile(config, 'utf8');
  await writeFile(config, text.replace('cacheTTL: 300', 'cacheTTL: 1').replace('ap-east-1', emulator.region));
  const { accessKeyId, secretAccessKey } = emulator.credentials;
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: emulator.url,
  };
  const args = ['-C', 'holdfast-source', join(folder, 'main.ts'), '--until-rotated'];
  const running = run(process.execPath, args, { cwd: root, env, timeout: 60_000 });
  running.child.stdout?.on('data', (printed: string) => {
    if (printed.includes('rotate it now')) emulator.put('prod/exchange/key', 'the second');
  });
  expect((await running).stdout).toBe(outputOf('aws.md'));
});
