import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, afterEach, expect, test } from 'vitest';
import { toPromise } from 'xstate';
import { createRuntime } from '../index.ts';
import { linkedPackages } from './linked-packages.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-links-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function file(path: string, content: unknown): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, typeof content === 'string' ? content : JSON.stringify(content));
  return whole;
}

function link(path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(join(root, target), join(root, path), 'junction');
}

const needing = (...names: string[]): object => ({
  dependencies: Object.fromEntries(names.map((name) => [name, '*'])),
});

test('the links that the manifests declare are followed, through those they lead to', () => {
  file('apps/desk/package.json', needing('@my/prices', 'installed', 'holdfast', 'desk', 'missing'));
  file('packages/prices/package.json', needing('rounding'));
  file('packages/rounding/package.json', needing('@my/prices'));
  file('packages/unused/package.json', {});
  file('node_modules/installed/package.json', {});
  file('holdfast/package.json', {});
  link('node_modules/@my/prices', 'packages/prices');
  link('packages/prices/node_modules/rounding', 'packages/rounding');
  link('node_modules/unused', 'packages/unused');
  link('node_modules/holdfast', 'holdfast');
  link('node_modules/desk', 'apps/desk');

  expect(linkedPackages(join(root, 'apps/desk/agents'))).toEqual([
    join(root, 'packages/prices'),
    join(root, 'packages/rounding'),
  ]);
});

test('a package that is linked within a node_modules above is no link to elsewhere', () => {
  file('package.json', needing('fast'));
  file('node_modules/.store/fast@1/package.json', {});
  link('node_modules/fast', 'node_modules/.store/fast@1');

  expect(linkedPackages(join(root, 'agents'))).toEqual([]);
});

test('where there is no manifest, or a broken one, nothing is linked', () => {
  expect(linkedPackages(root)).toEqual([]);
  file('package.json', '{');
  expect(linkedPackages(root)).toEqual([]);
});

test('an agent in a closed thread imports a linked package of its monorepo, and not the other ones', async () => {
  file('apps/desk/package.json', { type: 'module', ...needing('prices') });
  file('packages/prices/package.json', { type: 'module', exports: './index.js', ...needing('rounding') });
  file('packages/prices/index.js', "import { round } from 'rounding'; export const price = round(1.4);");
  file('packages/rounding/package.json', { type: 'module', exports: './index.js' });
  file('packages/rounding/index.js', 'export const round = Math.round;');
  file('packages/host/package.json', { type: 'module', exports: './index.js' });
  file('packages/host/index.js', "export const key = 'canary';");
  for (const name of ['prices', 'rounding', 'host']) link(`node_modules/${name}`, `packages/${name}`);
  symlinkSync(join(process.cwd(), 'node_modules/xstate'), join(root, 'node_modules/xstate'), 'junction');
  const agent = file(
    'apps/desk/agents/desk.js',
    `import { fromPromise } from 'xstate';
     import { price } from 'prices';
     export default fromPromise(() => import('host').then(({ key }) => key, ({ code }) => [price, code]));`,
  );
  const runtime = await createRuntime({
    agents: { desk: { type: 'thread-bound', threadId: 'desk', maxThreads: 1, module: agent } },
    threads: { desk: { isolation: 'thread+permissions' } },
  });
  try {
    expect(await toPromise(await runtime.spawn('desk'))).toEqual([1, 'ERR_ACCESS_DENIED']);
  } finally {
    await runtime.stop();
  }
});
