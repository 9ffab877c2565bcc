import { execFile } from 'node:child_process';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ConfigError, HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import type { ResolvedPool } from '../config/resolve.ts';
import type * as Agent from '../worker/agent.ts';
import { threadState, type HostBridge } from '../worker/thread-state.ts';
import { threadFiles, workerEntry, workerOptions } from './worker-options.ts';

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

/** The folder of what a thread loads in the package. */
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-bundle-'));
  await promisify(execFile)(process.execPath, ['scripts/bundle-worker.ts', folder], {
    cwd: root,
    timeout: 60_000,
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('what a thread starts with, and holdfast/agent, are one file each that imports xstate and node: only', async () => {
  expect((await readdir(folder)).toSorted()).toEqual(
    threadFiles.flatMap((name) => [`${name}.js`, `${name}.js.map`]).toSorted(),
  );
  const [entry, agent] = await Promise.all(
    ['entry', 'agent'].map(async (name) => readFile(join(folder, `${name}.js`), 'utf8')),
  );
  expect(new Set(importsOf(entry ?? ''))).toEqual(
    new Set([
      'node:async_hooks',
      'node:module',
      'node:url',
      'node:util',
      'node:util/types',
      'node:v8',
      'node:worker_threads',
      'xstate',
    ]),
  );
  expect(new Set(importsOf(agent ?? ''))).toEqual(new Set(['node:crypto', 'xstate']));
  // Names are kept, and what was bundled tells where it came from.
  expect(entry).toContain('function startThread(');
  expect(agent).toContain('function boundFetch(');
  for (const name of threadFiles) {
    const map = JSON.parse(await readFile(join(folder, `${name}.js.map`), 'utf8')) as {
      sources: string[];
      sourcesContent: string[];
    };
    expect(map.sources.join(' ')).toMatch(/runtime\/worker\/thread-state\.ts/);
    expect(map.sourcesContent.length).toBe(map.sources.length);
    const foreign = map.sources.filter((path) => !/\bruntime\/|node_modules\/comlink\//.test(path));
    expect(foreign).toEqual([]);
  }
});

test('an error of one file is a HoldfastError to the others, which have a class of their own', async () => {
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const agent = (await import(pathToFileURL(join(folder, 'agent.js')).href)) as typeof Agent;
  const rejecting = (code: HoldfastErrorCode): void => {
    const openStream = (): Promise<never> => Promise.reject(new HoldfastError(code, 'as the host says'));
    threadState().current = { openStream } as unknown as HostBridge;
  };
  onTestFinished(() => void (threadState().current = undefined));

  const theirs: unknown = agent.replyStream({ type: 'asked by nobody' }).signal.reason;
  rejecting('SECRET_RATE_LIMITED');
  const answer = await agent.boundFetch('model')('http://127.0.0.1');
  rejecting('FETCH_FAILED');
  const failed: unknown = await agent
    .boundFetch('model')('http://127.0.0.1')
    .catch((thrown: unknown) => thrown);

  expect(Object.getPrototypeOf(theirs)).not.toBe(HoldfastError.prototype);
  expect(theirs).toBeInstanceOf(HoldfastError);
  expect(theirs).not.toBeInstanceOf(ConfigError);
  expect(answer.status).toBe(429);
  expect(failed).toBeInstanceOf(TypeError);
  expect(failed).toHaveProperty('cause.code', 'FETCH_FAILED');
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
  const { NODE_COMPILE_CACHE: _, ...others } = env;
  expect(others).toEqual({});
});

test('a thread without permissions keeps compiled code where the host does, and one with permissions nowhere', () => {
  enableCompileCache(join(tmpdir(), 'holdfast-compiled'));
  const of = (isolation: 'thread' | 'thread+permissions', env = {}): unknown =>
    workerOptions({ ...pool(isolation), env }, 'name', [agent]).env;
  const folder = dirname(getCompileCacheDir() as string);

  expect(of('thread')).toEqual({ NODE_COMPILE_CACHE: folder });
  expect(of('thread', { NODE_COMPILE_CACHE: '/own' })).toEqual({ NODE_COMPILE_CACHE: '/own' });
  expect(of('thread+permissions')).toEqual({});
});
