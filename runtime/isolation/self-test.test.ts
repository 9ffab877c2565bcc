import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import inspector from 'node:inspector';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it, test, vi } from 'vitest';
import { ATTACKS, type Outcome } from './attacks.ts';
import { agentModule, poolOf } from './fixtures/pool.ts';
import { openAttacks, selfTest } from './self-test.ts';

const major = Number(process.versions.node.split('.')[0]);
const linux = process.platform === 'linux';
const from = (since: number, outcome: Outcome): Outcome => (major >= since ? outcome : 'not-applicable');
const inProc = (outcome: Outcome): Outcome => (linux ? outcome : 'not-applicable');

/** What is expected of each attack in a plain thread and in a closed one, on this Node. */
const MATRIX: Record<string, readonly [plain: Outcome, closed: Outcome]> = {
  inspector: ['open', 'closed'],
  environ: [inProc('open'), inProc('closed')],
  memory: [inProc('open'), inProc('closed')],
  report: ['open', 'closed'],
  'read-file': ['open', 'closed'],
  'load-env-file': ['open', 'closed'],
  'load-env': ['open', 'closed'],
  'load-json': ['open', 'closed'],
  'write-file': ['open', 'closed'],
  sqlite: ['open', 'closed'],
  'child-process': ['open', 'closed'],
  worker: ['open', 'closed'],
  addon: ['open', 'closed'],
  ffi: [from(26, 'open'), from(26, 'closed')],
  binding: ['open', 'closed'],
  wasi: ['open', 'closed'],
  signal: ['open', 'closed'],
  'v8-flags': ['open', 'closed'],
  // Node 22 and 24 cannot deny it.
  network: ['open', from(26, 'closed')],
};

const baits = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('holdfast-bait-'));

// A folder of its own: other runs on the machine lay their baits too.
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-self-test-'));
  vi.stubEnv('TMPDIR', folder);
  return () => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  };
});

describe.each(['thread', 'thread+permissions'] as const)('with isolation %s', (isolation) => {
  it('each attack ends as the matrix of this Node says', async () => {
    const rows = await selfTest(poolOf(isolation), [agentModule]);
    const outcomes = Object.fromEntries(rows?.map(({ attack, outcome }) => [attack, outcome]) ?? []);
    const expected = Object.entries(MATRIX).map(([name, [plain, closed]]) => [
      name,
      isolation === 'thread' ? plain : closed,
    ]);
    expect(outcomes).toEqual(Object.fromEntries(expected));
  });
});

test('the matrix has every attack, each with a name of its own and a word on what it tries', () => {
  expect(ATTACKS.map(({ name }) => name).toSorted()).toEqual(Object.keys(MATRIX).toSorted());
  for (const { tries } of ATTACKS) expect(tries).not.toBe('');
});

test('the self-test leaves nothing behind: no bait, no inspector, no variable', async () => {
  const environment = { ...process.env };
  await selfTest(poolOf('thread'), [agentModule]);
  expect(baits()).toEqual([]);
  expect(inspector.url()).toBeUndefined();
  expect({ ...process.env }).toEqual(environment);
});

test('what the config allows is not an attack', async () => {
  const permissions = { read: ['*'], write: [tmpdir()], net: true };
  const rows = await selfTest(poolOf('thread+permissions', { permissions }), [agentModule]);
  const allowed = rows?.filter(({ outcome }) => outcome === 'not-applicable').map(({ attack }) => attack);
  const expected = ['load-env', 'load-env-file', 'load-json', 'network', 'read-file', 'sqlite', 'write-file'];
  expect(allowed).toEqual(expect.arrayContaining(linux ? [...expected, 'environ', 'memory'] : expected));
  expect(openAttacks(rows ?? [])).toEqual([]);
});

test('files below the folder of an agent are open to it, and no attack', async () => {
  const agent = pathToFileURL(join(tmpdir(), 'agent.js')).href;
  const rows = (await selfTest(poolOf('thread+permissions'), [agent])) ?? [];
  expect(openAttacks(rows)).toEqual([]);
  expect(rows.find(({ attack }) => attack === 'read-file')?.outcome).toBe('not-applicable');
  expect(rows.find(({ attack }) => attack === 'write-file')?.outcome).toBe('closed');
});

test('it finds what somebody has opened by hand', async () => {
  const env = { NODE_OPTIONS: '--allow-fs-read=*' };
  const rows = await selfTest(poolOf('thread+permissions', { env }), [agentModule]);
  expect(openAttacks(rows ?? [])).toEqual(expect.arrayContaining(['read-file', 'load-json']));
});

test('a self-test whose time is up says where it stood', async () => {
  await expect(selfTest(poolOf('thread'), [agentModule], undefined, 0)).rejects.toMatchObject({
    code: 'ISOLATION_UNAVAILABLE',
    message: expect.stringMatching(/pool "pool" could not be tried on Node v\d.*attack "inspector" in 0 ms/),
  });
  expect(baits()).toEqual([]);
});

test('a self-test without a temporary folder says what it needs', async () => {
  vi.stubEnv('TMPDIR', join(tmpdir(), 'holdfast-nowhere'));
  await expect(selfTest(poolOf('thread'), [agentModule])).rejects.toMatchObject({
    code: 'ISOLATION_UNAVAILABLE',
    message: expect.stringContaining('TMPDIR'),
  });
});

test('a self-test whose thread cannot run says so', async () => {
  const env = { NODE_OPTIONS: '--require=./no-such-file.cjs' };
  await expect(selfTest(poolOf('thread+permissions', { env }), [agentModule])).rejects.toMatchObject({
    code: 'ISOLATION_UNAVAILABLE',
    message: expect.stringContaining('its thread ended with an error'),
    cause: expect.any(Error),
  });
});

test('a self-test that is given up gives nothing', async () => {
  expect(await selfTest(poolOf('thread'), [agentModule], AbortSignal.abort())).toBeUndefined();
});
