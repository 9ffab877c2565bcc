import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { inheritedExecArgv } from './worker-options.ts';

const counter = new URL('../fixtures/counter.ts', import.meta.url).href;
const entry = fileURLToPath(new URL('../index.ts', import.meta.url));

test('an agent in a thread with permissions imports its packages from whatever folder the process runs in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-elsewhere-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const main = join(folder, 'main.mjs');
  await writeFile(
    main,
    `import { createRuntime } from ${JSON.stringify(entry)};
     const runtime = await createRuntime({
       agents: { counter: { type: 'thread-bound', threadId: 'closed', maxThreads: 1, module: new URL(${JSON.stringify(counter)}) } },
       threads: { closed: { isolation: 'thread+permissions' } },
     });
     const ref = await runtime.spawn('counter', { input: { start: 42 } });
     console.log(await ref.ask({ type: 'read' }));
     await runtime.stop();`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [main], { cwd: folder, timeout: 60_000 });
  expect(stdout.trim()).toBe('42');
});

test('threads inherit how modules are found, and nothing that concerns the process', () => {
  const given = [
    '--expose-gc',
    '-C',
    'dev',
    '--import=./a.mjs',
    '--inspect',
    '--conditions',
    'x',
    '--title=y',
  ];
  const always = ['-C', 'dev', '--conditions', 'x'];
  expect(inheritedExecArgv(given, 'thread+permissions')).toEqual(always);
  expect(inheritedExecArgv(given, 'thread')).toEqual(always.toSpliced(2, 0, '--import=./a.mjs'));
});
