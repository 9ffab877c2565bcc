import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { toPromise } from 'xstate';
import { createRuntime } from 'holdfast';
import { blocks, exampleFolder } from './examples.fixture.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

test('the example of secrets.md runs, and prints a signature but not the secret', async () => {
  const folder = await exampleFolder();
  const page = readFileSync(join(root, 'docs/secrets.md'), 'utf8');
  for (const [info, text] of blocks(page)) {
    const [, name] = /^ts (\S+\.ts)$/.exec(info) ?? [];
    if (name === undefined) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['-C', 'holdfast-source', join(folder, 'main.ts')],
    { cwd: root, timeout: 60_000 },
  );
  expect(stdout).toMatch(/^signature [0-9a-f]{64}$/m);
  expect(stdout).toContain("state: 'fresh'");
  expect(page).toContain("'only for this example'");
  expect(stdout + stderr).not.toContain('only for this example');
});

/** Tries what its input names, in its thread, and tells how it ended. */
const probe = `
import { createRequire } from 'node:module';
import { fromPromise } from 'xstate';
const require = createRequire(import.meta.url);
const ways = {
  'read': (file) => require('node:fs').readFileSync(file),
  'require': (file) => require(file),
  'import': (file) => import(file),
  'loadEnvFile': (file) => process.loadEnvFile(file),
  'write': (file) => require('node:fs').writeFileSync(file, 'x'),
  'environ': () => require('node:fs').readFileSync('/proc/self/environ'),
  'process': () => require('node:child_process').execSync('true'),
  'worker': () => new (require('node:worker_threads').Worker)('', { eval: true, execArgv: [] }),
  'inspector': () => new (require('node:inspector').Session)().connectToMainThread(),
  'addon': (file) => process.dlopen({ exports: {} }, file),
  'binding': () => process.binding('fs'),
  'report': () => process.report.getReport().environmentVariables.PATH.length,
  'sqlite': (file) => new (require('node:sqlite').DatabaseSync)(file + '.db').exec('create table t(a)'),
  'exists': (file) => require.resolve(file),
};
export default fromPromise(async ({ input: [way, file] }) => {
  try { await ways[way](file); return 'open'; } catch (error) { return error.code ?? error.name; }
});
`;

const deniedWays = [
  'read',
  'require',
  'import',
  'write',
  'environ',
  'process',
  'worker',
  'inspector',
  'binding',
  'addon',
  'sqlite',
];
/** What is taken away is not a function any more. */
const absentWays = ['report', 'loadEnvFile'];

test.runIf(process.platform === 'linux')(
  'a thread with permissions is closed and open where isolation.md says so',
  async () => {
    const folder = await exampleFolder();
    const module = join(folder, 'probe.mjs');
    await writeFile(module, probe);
    const outside = await mkdtemp(join(tmpdir(), 'holdfast-docs-'));
    onTestFinished(() => rm(outside, { recursive: true, force: true }));
    const file = join(outside, 'data.cjs');
    await writeFile(file, 'exports.a = 1');
    const runtime = await createRuntime({
      agents: { probe: { type: 'thread-bound', threadId: 'closed', maxThreads: 1, module } },
      threads: { closed: { isolation: 'thread+permissions' } },
    });
    onTestFinished(() => runtime.stop());
    const tried: Record<string, unknown> = {};
    for (const [, way = ''] of probe.matchAll(/^ {2}'(\w+)':/gm)) {
      const ref = await runtime.spawn('probe', { input: [way, file] as never });
      tried[way] = await toPromise(ref);
    }
    const inWorkingDirectory = join(process.cwd(), 'vitest.config.ts');
    const ref = await runtime.spawn('probe', { input: ['read', inWorkingDirectory] as never });
    expect(await toPromise(ref)).toBe('ERR_ACCESS_DENIED');
    expect(tried).toEqual({
      ...Object.fromEntries(deniedWays.map((way) => [way, 'ERR_ACCESS_DENIED'])),
      ...Object.fromEntries(absentWays.map((way) => [way, 'TypeError'])),
      exists: expect.stringMatching(/^open$|^ERR_ACCESS_DENIED$/),
    });
  },
);

const notes = `
import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';
export default fromTransition((seen, event) => {
  if (event.type === 'exit') process.exit(1);
  if (event.type === 'read') replyTo(event, seen);
  return event.type === 'note' ? [...seen, event.of.value] : seen;
}, []);
`;

test('what location-transparency.md says of sending and restarting holds', async () => {
  const folder = await exampleFolder();
  await writeFile(join(folder, 'notes.mjs'), notes);
  const runtime = await createRuntime({
    agents: {
      notes: {
        type: 'thread-bound',
        threadId: 'notes',
        maxThreads: 1,
        module: join(folder, 'notes.mjs'),
        supervision: { backoff: { minMs: 1, maxMs: 1 } },
      },
    },
  });
  onTestFinished(() => runtime.stop());
  const ref = await runtime.spawn('notes');
  expect(ref.getSnapshot() as unknown).toMatchObject({
    status: 'active',
    value: undefined,
    context: undefined,
  });
  const of = { value: 'as sent' };
  ref.send({ type: 'note', of });
  of.value = 'as changed';
  expect(await ref.ask({ type: 'read' })).toEqual(['as changed']);
  ref.send({ type: 'exit' });
  ref.send({ type: 'note', of });
  expect(await ref.ask({ type: 'read' }, { timeoutMs: 10_000 })).toEqual(['as changed']);
  expect(ref.incarnation).toBe(2);
  expect((ref.getSnapshot() as { status: string }).status).toBe('active');
  expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'poison', event: { type: 'exit' } }]);
});
