import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import inspector from 'node:inspector';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { toPromise } from 'xstate';
import { createRuntime, type Runtime } from '../index.ts';
import { lockdown } from './lockdown.ts';

const module = new URL('../fixtures/evaluating.ts', import.meta.url);
const DENIED = 'ERR_ACCESS_DENIED';
let runtime: Runtime;
let outside: string;

beforeAll(async () => {
  outside = await mkdtemp(join(tmpdir(), 'holdfast-outside-'));
  await Promise.all([
    writeFile(join(outside, '.env'), 'KEY=canary'),
    writeFile(join(outside, 'keys.json'), '{"key":"canary"}'),
    writeFile(join(outside, 'keys.cjs'), 'exports.key = "canary"'),
    writeFile(join(outside, 'keys.mjs'), 'export const key = "canary"'),
  ]);
  const bound = { type: 'thread-bound', maxThreads: 1, module } as const;
  runtime = await createRuntime({
    agents: { closed: { ...bound, threadId: 'closed' }, plain: { ...bound, threadId: 'plain' } },
    threads: { closed: { isolation: 'thread+permissions' } },
  });
});

afterAll(async () => {
  await runtime.stop();
  await rm(outside, { recursive: true, force: true });
});

async function run(code: string, { file = '', agent = 'closed' } = {}): Promise<unknown> {
  const ref = await runtime.spawn(agent, { input: { code, file: join(outside, file) } as never });
  return toPromise(ref);
}

describe('in a closed thread', () => {
  it.each(['sqlite', 'inspector/promises', 'wasi', 'repl', 'test', 'trace_events'])(
    'node:%s cannot be had by any way to import it',
    async (name) => {
      const ways = [
        `return require('node:${name}')`,
        `return import('node:${name}')`,
        `return process.getBuiltinModule('node:${name}')`,
        `return require('node:module')._load('node:${name}')`,
        `return new Function("return import('node:${name}')")()`,
        `const { Module } = require('node:module'); const m = new Module('m.js'); m.paths = [];
         m._compile("module.exports = require('node:${name}')", 'm.js'); return m.exports`,
      ];
      for (const way of ways) expect.soft(await run(way), way).toBe(DENIED);
    },
  );

  it('a module of Node that nobody knows is refused', async () => {
    const unknown = `const { builtinModules } = require('node:module'), refused = [];
      for (const name of builtinModules) try { require(name) } catch { refused.push(name.replace('node:', '')) }
      return refused`;
    const refused = (await run(unknown)) as string[];
    const known = [
      'ffi',
      'inspector',
      'inspector/promises',
      'repl',
      'sea',
      'sqlite',
      'test',
      'test/reporters',
    ];
    expect(refused.filter((name) => ![...known, 'trace_events', 'wasi'].includes(name))).toEqual([]);
    expect(refused).toContain('repl');
  });

  it('packages can import child_process, cluster, inspector and worker_threads, and start nothing with them', async () => {
    const code = `
      const { exec, spawnSync, ChildProcess } = require('node:child_process');
      const imported = await import('node:child_process');
      const { fork } = require('node:cluster');
      const { Worker } = await import('node:worker_threads');
      const { Session, open, url } = await import('node:inspector');
      class Own extends Worker {}
      const failed = [];
      for (const way of [() => exec('true'), () => spawnSync('true'), () => new ChildProcess(), () => imported.execSync('true'),
        fork, () => new Worker('', { eval: true }), () => new Own('', { eval: true }), () => new Session(), () => open(0)])
        try { way(); failed.push('open') } catch (error) { failed.push(error.code) }
      return [url(), ...failed]`;
    expect(await run(code)).toEqual([undefined, ...Array<string>(9).fill(DENIED)]);
  });

  it.each([
    ['signal to itself', "process.kill(process.pid, 'SIGUSR1')"],
    ['signal to its group', 'process.kill(0, 0)'],
    ['way around it by _kill', 'process._kill(process.pid, 10)'],
    ['way around it by an import', "(await import('node:process')).kill(process.pid, 'SIGUSR1')"],
    ['binding', "process.binding('fs')"],
    ['dlopen', 'process.dlopen({ exports: {} }, file)'],
    ['change of V8 flags', "require('node:v8').setFlagsFromString('--allow-natives-syntax')"],
    [
      'change of V8 flags by an import',
      "(await import('node:v8')).setFlagsFromString('--allow-natives-syntax')",
    ],
    ['hook of its own', "require('node:module').registerHooks({})"],
    ['hook of its own by an import', "(await import('node:module')).registerHooks({})"],
    ['other priority for the process', "require('node:os').setPriority(0, 10)"],
    ['heap snapshot', "require('node:v8').setHeapSnapshotNearHeapLimit(1)"],
  ])('there is no %s', async (_what, code) => {
    expect(await run(`${code}; return 'open'`)).toBe(DENIED);
    expect(inspector.url()).toBeUndefined();
  });

  it('the report of the process and loadEnvFile are absent, and cannot be brought back', async () => {
    const code = `
      const exported = await import('node:process');
      const of = (name) => { const { value, configurable, writable } = Object.getOwnPropertyDescriptor(process, name); return [value, configurable, writable] };
      return [exported.report, exported.loadEnvFile, ...of('report'), ...of('loadEnvFile'), ...of('kill').slice(1)]`;
    const absent = [undefined, false, false];
    expect(await run(code)).toEqual([undefined, undefined, ...absent, ...absent, false, false]);
  });

  it.each(['.env', 'keys.json', 'keys.cjs', 'keys.mjs'])('%s of elsewhere is not loaded', async (file) => {
    expect.soft(await run('return require(file)', { file })).toBe(DENIED);
    expect
      .soft(
        await run("return import(file, file.endsWith('json') ? { with: { type: 'json' } } : {})", { file }),
      )
      .toBe(DENIED);
    expect
      .soft(await run("const { Module } = require('node:module'); new Module('m').load(file)", { file }))
      .toBe(DENIED);
  });

  it('an agent that replaces what the guards are made of gets no further', async () => {
    const code = `
      const before = [String.prototype.startsWith, String.prototype.slice, Set.prototype.has, Object.hasOwn, Function.prototype.call];
      const url = require('node:url'), module = require('node:module');
      String.prototype.startsWith = () => false;
      String.prototype.slice = () => 'fs';
      Set.prototype.has = () => true;
      Object.hasOwn = () => false;
      Function.prototype.call = () => true;
      url.fileURLToPath = () => __filename;
      process.permission.has = () => true;
      module.syncBuiltinESMExports();
      const got = [];
      try {
        for (const way of [() => require('node:sqlite'), () => require(file), () => process.getBuiltinModule('node:sqlite')])
          try { way(); got.push('open') } catch (error) { got.push(error.code) }
      } finally {
        [String.prototype.startsWith, String.prototype.slice, Set.prototype.has, Object.hasOwn, Function.prototype.call] = before;
      }
      return got`;
    expect(await run(code, { file: 'keys.cjs' })).toEqual([DENIED, DENIED, DENIED]);
  });

  it('an agent that breaks an import off half-way does not get the module whole', async () => {
    const code = `
      const got = [];
      const deep = (name) => { try { deep(name); require(name) } catch {} };
      Object.prototype.get = () => 1;
      try { require('node:os') } catch {} finally { delete Object.prototype.get }
      deep('node:v8');
      for (const way of [() => require('node:os').setPriority(0, 10), () => require('node:v8').setFlagsFromString('--no-trace-gc')])
        try { way(); got.push('open') } catch (error) { got.push(error.code ?? error.name) }
      return got`;
    // In a thread of its own: no agent has imported these modules there.
    const fresh = await createRuntime({
      agents: { closed: { type: 'thread-bound', threadId: 'fresh', maxThreads: 1, module } },
      threads: { fresh: { isolation: 'thread+permissions' } },
    });
    const got = await toPromise(await fresh.spawn('closed', { input: { code } as never })).finally(() =>
      fresh.stop(),
    );
    expect(got).toEqual([DENIED, expect.stringMatching(/^ERR_|^TypeError/)]);
  });

  it('what agents are made of works: files of their own, data URLs, packages, TypeScript', async () => {
    const code = `
      const { default: data } = await import('data:text/javascript,export default 7');
      const { createMachine } = require('xstate');
      const { reply } = await import('holdfast/agent');
      return [data, typeof createMachine, typeof reply, require.resolve('xstate').includes('xstate'), process.getBuiltinModule('nothing')]`;
    expect(await run(code)).toEqual([7, 'function', 'function', true, undefined]);
  });
});

test('a plain thread is left as Node made it', async () => {
  const code = `return [typeof process.report.getReport, typeof process.loadEnvFile, process.kill(process.pid, 0),
    typeof require('node:sqlite').DatabaseSync, typeof require(file).key]`;
  const seen = await run(code, { agent: 'plain', file: 'keys.cjs' });
  expect(seen).toEqual(['function', 'function', true, 'function', 'string']);
});

test('a closed thread does not run where Node’s permission model is missing', () => {
  expect(() => lockdown({ isolation: 'thread+permissions' })).toThrow(
    expect.objectContaining({ code: 'ISOLATION_UNAVAILABLE' }),
  );
});
