import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { inheritedExecArgv, optionsIn } from './inherited-options.ts';

const run = promisify(execFile);
const host = fileURLToPath(new URL('../fixtures/options-run.ts', import.meta.url));
const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
const shared = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] };

const plain = `
export default fromTransition((state: object, event: { type: string }) => {
  replyTo(event, { hook: globalThis.hook ?? null, flags: process.execArgv, env: Object.keys(process.env) });
  return state;
}, {});
`;
const transformed = `
enum Side { Buy = 'buy', Sell = 'sell' }
namespace Sides { export const all = [Side.Buy, Side.Sell]; }
class Order { constructor(readonly side: Side) {} }
export default fromTransition((state: object, event: { type: string }) => {
  replyTo(event, [new Order(Side.Buy).side, Sides.all.length]);
  return state;
}, {});
`;

/** A folder with an agent, and a hook that a program may want before everything else. */
async function project(source: string) {
  const folder = await mkdtemp(join(fixtures, 'written for a test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const imports = "import { fromTransition } from 'xstate';\nimport { replyTo } from 'holdfast/agent';\n";
  const paths = {
    agent: join(folder, 'agent.ts'),
    hook: join(folder, 'hook.cjs'),
    module: join(folder, 'hook.mjs'),
  };
  await writeFile(paths.agent, imports + source);
  for (const path of [paths.hook, paths.module]) await writeFile(path, "globalThis.hook = 'loaded';\n");
  return paths;
}

async function told(
  agent: string,
  how: { readonly nodeOptions?: string; readonly flags?: readonly string[]; readonly isolation?: string },
): Promise<unknown> {
  const { nodeOptions = '', flags = [], isolation = 'thread' } = how;
  const { stdout } = await run(
    process.execPath,
    ['-C', 'holdfast-source', ...flags, host, agent, isolation],
    {
      env: { ...shared, NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} ${nodeOptions}` },
      timeout: 60_000,
    },
  );
  return JSON.parse(stdout);
}

test.each(['--require', '-r', '--import'])('a thread gets the %s of NODE_OPTIONS', async (flag) => {
  const { agent, hook, module } = await project(plain);
  const path = flag === '--import' ? `file://${module.replaceAll(' ', '%20')}` : `"${hook}"`;
  expect(await told(agent, { nodeOptions: `--no-warnings ${flag} ${path}` })).toEqual({
    hook: 'loaded',
    flags: expect.arrayContaining(['--no-warnings', flag]),
    env: [],
  });
});

test('a closed thread gets no code of the host before its own, and what code means all the same', async () => {
  const { agent, hook } = await project(plain);
  const nodeOptions = `--require "${hook}" --enable-source-maps`;
  expect(await told(agent, { nodeOptions, isolation: 'thread+permissions' })).toMatchObject({
    hook: null,
    flags: expect.arrayContaining(['--enable-source-maps', '--permission']),
  });
});

test.runIf(process.allowedNodeEnvironmentFlags.has('--experimental-transform-types'))(
  'agents may use the TypeScript that the host may, by a flag and by NODE_OPTIONS',
  async () => {
    const { agent } = await project(transformed);
    const flag = '--experimental-transform-types';
    expect(await told(agent, { flags: [flag], isolation: 'thread+permissions' })).toEqual(['buy', 2]);
    expect(await told(agent, { nodeOptions: flag, isolation: 'thread' })).toEqual(['buy', 2]);
  },
);

test.each([
  ['', []],
  ['  --a   --b=1 ', ['--a', '--b=1']],
  ['--require "/a b/c.cjs"', ['--require', '/a b/c.cjs']],
  ['--require="/a b/c.cjs" -C x', ['--require=/a b/c.cjs', '-C', 'x']],
  ['--require "/a \\"b\\" \\\\c.cjs"', ['--require', '/a "b" \\c.cjs']],
  ['--require C:\\\\x\\y.cjs', ['--require', 'C:\\\\x\\y.cjs']],
])('NODE_OPTIONS is taken apart as Node does it: %s', (text, options) => {
  expect(optionsIn(text)).toEqual(options);
});

test('names may be written with underscores, negated, and with their value in one', () => {
  const given = [
    '--enable_source_maps',
    '--no-experimental-strip-types',
    '--disable-warning=X',
    '--title=x',
    '--conditions',
    'y',
  ];
  expect(
    inheritedExecArgv([...given, '--max-old-space-size=100', '--inspect'], 'thread+permissions'),
  ).toEqual([
    '--enable_source_maps',
    '--no-experimental-strip-types',
    '--disable-warning=X',
    '--conditions',
    'y',
  ]);
});

test('those of a loader go to a thread that is not closed', () => {
  const pnp = ['--require', '/p/.pnp.cjs', '--experimental-loader', 'file:///p/.pnp.loader.mjs'];
  expect(inheritedExecArgv(pnp, 'thread')).toEqual(pnp);
  expect(inheritedExecArgv(pnp, 'thread+permissions')).toEqual([]);
});
