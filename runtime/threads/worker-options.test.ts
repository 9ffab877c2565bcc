import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { ResolvedPool } from '../config/resolve.ts';
import { agentHelpers, workerEntry, workerOptions } from './worker-options.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const runtime = fileURLToPath(new URL('../', import.meta.url));
const agent = new URL('../fixtures/counter.ts', import.meta.url).href;

/** Where the imports and exports of a module lead when it runs. */
function importsOf(source: string): string[] {
  const run = source.replaceAll(/^(?:import|export) type [^;]*;/gm, '');
  const found = run.matchAll(/(?:^(?:import|export|\})(?: .*?from)? |\bimport\()["']([^"']+)["']/gm);
  return [...found].map(([, name = '']) => name);
}

function pool(isolation: ResolvedPool['isolation']): ResolvedPool {
  return {
    threadId: 'pool',
    intensity: { restarts: 3, withinMs: 60_000 },
    maxThreads: 1,
    minThreads: 0,
    idleTimeoutMs: 1,
    isolation,
    permissions: { read: ['/books'], write: [], net: false },
    env: {},
    activatedInstances: 0,
    sharedMemory: false,
    watchdog: { warnMs: 1, killMs: 1 },
    startTimeoutMs: 1,
  };
}

const readable = (execArgv: readonly string[] = []): string[] =>
  execArgv.flatMap((flag) => /^--allow-fs-read=(.*)/.exec(flag)?.[1] ?? []);

test('what a thread starts with is bundled into one file that imports xstate and node: only', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bundle-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));

  await promisify(execFile)(process.execPath, ['scripts/bundle-worker.ts', folder], {
    cwd: root,
    timeout: 60_000,
  });

  const bundle = await readFile(join(folder, 'entry.js'), 'utf8');
  const imported = importsOf(bundle);
  expect(new Set(imported)).toEqual(
    new Set([
      'node:async_hooks',
      'node:module',
      'node:url',
      'node:util',
      'node:util/types',
      'node:worker_threads',
      'xstate',
    ]),
  );
  // Names are kept, and what was bundled tells where it came from.
  expect(bundle).toContain('function startThread(');
  const map = JSON.parse(await readFile(join(folder, 'entry.js.map'), 'utf8')) as {
    sources: string[];
    sourcesContent: string[];
  };
  expect(map.sources.join(' ')).toMatch(/runtime\/worker\/thread\.ts.*/);
  expect(map.sourcesContent.length).toBe(map.sources.length);
  const foreign = map.sources.filter((path) => !/\bruntime\/|node_modules\/comlink\//.test(path));
  expect(foreign).toEqual([]);
});

test('the list of what holdfast/agent is made of is complete', async () => {
  const reached = new Set<string>(['worker/agent']);
  const packages = new Set<string>();
  for (const path of reached) {
    const url = new URL(`../${path}.ts`, import.meta.url);
    for (const name of importsOf(await readFile(url, 'utf8'))) {
      if (!name.startsWith('.')) packages.add(name);
      else reached.add(fileURLToPath(new URL(name, url)).slice(runtime.length, -'.ts'.length));
    }
  }
  expect(reached).toEqual(new Set(agentHelpers));
  expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual(['xstate']);
});

test('a thread with permissions reads the runtime, the folder of its agents and what the config says', () => {
  const { execArgv } = workerOptions(pool('thread+permissions'), 'name', [agent]);

  const paths = readable(execArgv);
  expect(paths).toEqual(expect.arrayContaining([runtime.slice(0, -1), join(runtime, 'fixtures'), '/books']));
  expect(paths.some((path) => runtime.startsWith(path) && path.length < runtime.length - 1)).toBe(false);
  expect(execArgv).toContain('--permission');
});

test('the network is allowed only where it is asked for and can be denied', () => {
  const given = (net: boolean): string[] => {
    const asked = pool('thread+permissions');
    const { execArgv = [] } = workerOptions(
      { ...asked, permissions: { ...asked.permissions, net } },
      'name',
      [],
    );
    return execArgv.filter((flag) => flag === '--allow-net');
  };
  expect(given(false)).toEqual([]);
  expect(given(true)).toEqual(process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []);
});

test('a thread without permissions is started without flags of its own', () => {
  const { execArgv, env } = workerOptions(pool('thread'), 'name', [agent], workerEntry);

  expect(readable(execArgv)).toEqual([]);
  expect(execArgv).not.toContain('--permission');
  expect(env).toEqual({});
});
