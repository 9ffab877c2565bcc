import { execFile, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { filesOfReadme } from './examples.fixture.ts';
import { startService } from '../runtime/secrets/fixtures/echo-service.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
let folder: string;
let readme: string;
const files = (): Map<string, string> => new Map(filesOfReadme(readme));

beforeAll(async () => {
  readme = await readFile(join(root, 'README.md'), 'utf8');
  // Inside the package, whose own name and packages the programs find.
  folder = await mkdtemp(join(root, 'docs/.example-'));
  for (const [name, text] of files()) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('the agent that the README opens with streams the answer of a model, with a key that it does not have', async () => {
  const key = 'CANARY-0b17-key-of-the-model';
  const begun = Promise.withResolvers<ServerResponse>();
  const service = await startService((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    begun.resolve(response);
  });
  const { port } = service;
  for (const [file, real, local] of [
    ['agents/writer.ts', 'https://api.openai.com', service.origin],
    ['answer.ts', "'api.openai.com'", `'http://127.0.0.1:${port}'`],
  ] as const) {
    const text = files().get(file) ?? '';
    expect(text.split(real)).toHaveLength(2);
    await writeFile(join(folder, file), text.replace(real, local));
  }
  const running = run(process.execPath, ['-C', 'holdfast-source', 'answer.ts'], {
    cwd: folder,
    timeout: 60_000,
    env: { ...process.env, OPENAI_API_KEY: key },
  });
  const printed = outputOf(running.child);
  const model = await begun.promise;
  const tell = (value: object): void => void model.write(`data: ${JSON.stringify(value)}\n\n`);
  const delta = (content: string, finish_reason: string | null = null): object => ({
    id: 'a',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason }],
  });
  let said = '';
  for (const [token, shown] of [['The '], ['wind '], [`${key} `, '<redacted:secret> '], ['does.']] as const) {
    tell(delta(token));
    said += shown ?? token;
    // Each token is on the screen before the model says the next.
    await printed(said);
  }
  tell(delta('', 'stop'));
  model.end('data: [DONE]\n\n');
  const { stdout } = await running;
  expect(stdout).toBe(said);
  expect(service.received).toMatchObject([
    { method: 'POST', url: '/v1/chat/completions', headers: { authorization: `Bearer ${key}` } },
  ]);
});

/** Waits until a program has printed this and no more. */
function outputOf({ stdout }: ChildProcess): (text: string) => Promise<void> {
  let printed = '';
  let look = (): void => {};
  stdout?.on('data', (more: string) => {
    printed += more;
    look();
  });
  return (text) =>
    new Promise((resolve) => {
      look = () => (printed === text ? resolve() : undefined);
      look();
    });
}

test("the README's quick start runs and prints what the README says", async () => {
  const { stdout } = await run(process.execPath, ['-C', 'holdfast-source', 'main.ts'], {
    cwd: folder,
    timeout: 60_000,
  });
  expect(stdout.trim()).toBe('trader/btc says 61000');
  expect(readme).toContain(stdout.trim());
});

test('the quick start is under 20 lines', () => {
  expect(files().get('main.ts')?.trim().split('\n').length).toBeLessThan(20);
});

test('every file and folder the README links to is there', async () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target = '']) => target);
  expect(links.length).toBeGreaterThan(5);
  const found = await Promise.all(links.map((link) => isThere(join(root, link))));
  expect(links.filter((_, n) => !found[n])).toEqual([]);
});

test('the tarball that README, llms.txt and guides install is the one that npm pack writes', async () => {
  const { name, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  for (const page of ['README.md', 'llms.txt', 'docs/aws.md']) {
    const text = await readFile(join(root, page), 'utf8');
    const named = [...text.matchAll(/[\w.-]+\.tgz/g)].map(([tarball]) => tarball);
    expect(new Set(named)).toEqual(new Set([`${name}-${version}.tgz`]));
    // Nothing that a registry would have to know.
    expect(text).not.toMatch(/^npm install holdfast\b/m);
  }
});

async function isThere(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    (error: { code?: string }) => error.code === 'EISDIR',
  );
}
