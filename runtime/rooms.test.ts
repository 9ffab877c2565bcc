import { readdirSync } from 'node:fs';
import { dirname, matchesGlob } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { circlesIn } from '../scripts/house/floors.ts';
import { roomOf, sourceFiles } from '../scripts/house/import-graph.ts';
import { fileOf, lint, type Tried, tryImports, type Walls, wallsConfig } from './fixtures/walls.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

/** An import of a room that must be refused, and some that must not. */
interface Room {
  /** It may not know this, not even its types. */
  readonly refuses: string;
  /** It may import this. Default: nothing but its own files. */
  readonly takes?: string;
  /** Of this it may know the types alone. Default: there is nothing of that kind. */
  readonly takesTypes?: string;
}

const rooms: Readonly<Record<string, Room>> = {
  actors: {
    refuses: 'runtime/threads/thread-host.ts',
    takes: 'runtime/base/errors.ts',
    takesTypes: 'providers/provider.ts',
  },
  providers: { refuses: 'runtime/base/errors.ts' },
  'providers/emulator': { refuses: 'runtime/base/errors.ts' },
  'runtime/base': { refuses: 'runtime/mailbox/tag.ts' },
  'runtime/mailbox': { refuses: 'runtime/base/clock.ts', takesTypes: 'node:worker_threads' },
  'runtime/xstate': { refuses: 'runtime/wire/protocol.ts', takes: 'runtime/mailbox/size.ts' },
  'runtime/wire': { refuses: 'runtime/worker/event-loop.ts', takes: 'runtime/xstate/xstate5.ts' },
  'runtime/dead-letters': { refuses: 'runtime/instance/instance.ts', takes: 'runtime/wire/unclonable.ts' },
  'runtime/config': {
    refuses: 'runtime/secrets/grants.ts',
    takes: 'providers/builtin-providers.ts',
    takesTypes: 'actors/pool-health.ts',
  },
  'runtime/store': {
    refuses: 'runtime/instance/instance.ts',
    takes: 'runtime/base/clock.ts',
    takesTypes: 'runtime/xstate/persisted-timer.ts',
  },
  'runtime/store/columns': {
    refuses: 'runtime/instance/instance.ts',
    takes: 'runtime/store/durable-store.ts',
    takesTypes: 'runtime/xstate/persisted-timer.ts',
  },
  'runtime/store/postgres': {
    refuses: 'runtime/instance/instance.ts',
    takes: 'runtime/store/durable-store.ts',
    takesTypes: 'runtime/xstate/persisted-timer.ts',
  },
  'runtime/store/sqlite': {
    refuses: 'runtime/instance/instance.ts',
    takes: 'runtime/store/durable-store.ts',
    takesTypes: 'runtime/xstate/persisted-timer.ts',
  },
  'runtime/mcp': {
    refuses: 'runtime/secrets/broker.ts',
    takes: 'runtime/base/rate-limit.ts',
    takesTypes: 'runtime/config/resolve.ts',
  },
  'runtime/secrets': {
    refuses: 'runtime/worker/secret-logic.ts',
    takes: 'runtime/secrets/values/cache.ts',
    takesTypes: 'runtime/wire/protocol.ts',
  },
  'runtime/secrets/values': {
    refuses: 'runtime/secrets/grants.ts',
    takes: 'providers/provider.ts',
    takesTypes: 'runtime/config/resolve.ts',
  },
  'runtime/secrets/scrub': {
    refuses: 'runtime/secrets/capabilities/capability.ts',
    takes: 'runtime/secrets/values/vault.ts',
  },
  'runtime/secrets/capabilities': {
    refuses: 'runtime/secrets/grants.ts',
    takes: 'runtime/secrets/scrub/scrubber.ts',
  },
  'runtime/worker': {
    refuses: 'runtime/config/resolve.ts',
    takes: 'runtime/dead-letters/refusal.ts',
    takesTypes: 'runtime/secrets/secret-handle.ts',
  },
  'runtime/instance': {
    refuses: 'runtime/threads/seats.ts',
    takes: 'runtime/store/keeper.ts',
    takesTypes: 'runtime/secrets/scrub/scrubber.ts',
  },
  'runtime/threads': {
    refuses: 'runtime/supervision/decisions.ts',
    takes: 'runtime/instance/watchers.ts',
    takesTypes: 'runtime/secrets/secret-use.ts',
  },
  'runtime/telling': {
    refuses: 'runtime/inspect/inspection-hub.ts',
    takes: 'runtime/base/call-check.ts',
    takesTypes: 'runtime/threads/thread-host.ts',
  },
  'runtime/supervision': {
    refuses: 'runtime/system/runtime-system.ts',
    takes: 'runtime/threads/thread-host.ts',
    takesTypes: 'runtime/telling/runtime-events.ts',
  },
  'runtime/telemetry': {
    refuses: 'runtime/system/spawn-request.ts',
    takes: 'runtime/wire/otel-registry.ts',
    takesTypes: 'runtime/telling/status.ts',
  },
  'runtime/inspect': {
    refuses: 'runtime/system/runtime-system.ts',
    takes: 'runtime/instance/twins.ts',
    takesTypes: 'runtime/telling/status.ts',
  },
  'runtime/inspect/local': {
    refuses: 'runtime/gateway/app.ts',
    takes: 'runtime/inspect/inspection-hub.ts',
    takesTypes: 'runtime/telling/status.ts',
  },
  'runtime/inspect/local/page': { refuses: 'runtime/inspect/local/local-inspector.ts' },
  'runtime/system': {
    refuses: 'runtime/runtime.ts',
    takes: 'runtime/supervision/supervision.ts',
    takesTypes: 'providers/provider.ts',
  },
  'runtime/isolation': {
    refuses: 'runtime/runtime.ts',
    takes: 'runtime/worker/lockdown.ts',
    takesTypes: 'runtime/system/runtime-system.ts',
  },
  'runtime/trial': {
    refuses: 'runtime/runtime.ts',
    takes: 'runtime/worker/restore-trial.ts',
    takesTypes: 'runtime/config/resolve.ts',
  },
  'runtime/runtime.ts': {
    refuses: 'runtime/gateway/front.ts',
    takes: 'runtime/system/runtime-system.ts',
    takesTypes: 'runtime/instance/agent-ref.ts',
  },
  'runtime/index.ts': {
    refuses: 'runtime/testing/test-runtime.ts',
    takes: 'runtime/runtime.ts',
    takesTypes: 'runtime/telling/status.ts',
  },
  'runtime/testing': { refuses: 'runtime/gateway/front.ts', takes: 'runtime/runtime.ts' },
  'runtime/secrets-audit': { refuses: 'runtime/secrets/grants.ts', takes: 'runtime/config/document.ts' },
  'runtime/migrate': { refuses: 'runtime/runtime.ts', takes: 'runtime/secrets-audit/env-file.ts' },
  'runtime/cluster': {
    refuses: 'runtime/system/runtime-system.ts',
    takes: 'runtime/store/partitioned-store.ts',
    takesTypes: 'runtime/instance/agent-ref.ts',
  },
  'runtime/cluster/effect': {
    refuses: 'runtime/cluster/cluster-node.ts',
    takes: 'runtime/cluster/placement.ts',
  },
  'runtime/gateway': { refuses: 'runtime/instance/agent-ref.ts', takes: 'runtime/runtime.ts' },
  'runtime/client': {
    refuses: 'runtime/config/agent-types.ts',
    takes: 'runtime/base/call-check.ts',
    takesTypes: 'xstate',
  },
  'runtime/doctor': {
    refuses: 'runtime/system/runtime-system.ts',
    takes: 'runtime/gateway/tls-files.ts',
    takesTypes: 'runtime/wire/protocol.ts',
  },
  'runtime/cli': { refuses: 'runtime/telling/status.ts', takes: 'runtime/config/load.ts' },
  'runtime/cli/commands': {
    refuses: 'runtime/dead-letters/dead-letters.ts',
    takes: 'runtime/doctor/examine.ts',
  },
  'runtime/cli/measured': { refuses: 'runtime/worker/agent.ts', takes: 'runtime/runtime.ts' },
};

/** What a thread is made of: none of it may load what a secret, a config or a provider needs. */
const inThreads = ['runtime/worker', 'runtime/wire', 'runtime/xstate', 'runtime/mailbox'];
const heavy = ['@aws-sdk/client-secrets-manager', 'zod', '@humanwhocodes/momoa'];

const names = Object.keys(rooms);
const nowhere = 'runtime/nowhere/unknown.ts';
const sources = sourceFiles(root).filter((file) => roomOf(file) !== undefined);
const folders = [...new Set(sources.map(dirname))].filter((folder) => folder !== 'runtime').toSorted();
/** Every type of every file, for every room. */
const everything = names.flatMap((from) => sources.map((of): Tried => ({ from, of, kind: 'type' })));

let walls: Walls;

beforeAll(async () => {
  const expected = Object.entries(rooms).flatMap(([from, { refuses, takes, takesTypes }]) =>
    [refuses, takes, takesTypes]
      .filter((of) => of !== undefined)
      .flatMap((of): Tried[] => [
        { from, of },
        { from, of, kind: 'type' },
      ]),
  );
  walls = await tryImports([
    ...expected,
    ...names.flatMap(hidden),
    ...folders.map((from): Tried => ({ from, of: nowhere })),
    ...folders.map((from): Tried => ({ from: `${from}/probe.test.ts`, of: nowhere })),
    ...inThreads.flatMap((from) => heavy.map((of): Tried => ({ from, of }))),
    ...everything,
  ]);
}, 60_000);

/** Ways around a wall. */
function hidden(from: string): Tried[] {
  return [
    './inside/../../outside/file.ts',
    './../outside/file.ts',
    'runtime/config/index.ts',
    'holdfast',
  ].map((of) => ({ from, of }));
}

const all = Object.entries(rooms);

test.each(all)('%s may not import everything', (from, { refuses }) => {
  expect(sources).toContain(refuses);
  expect(walls.refuses({ from, of: refuses })).toBe(true);
  expect(walls.refuses({ from, of: refuses, kind: 'type' })).toBe(true);
});

test.each(all.filter(([, { takes }]) => takes !== undefined))(
  '%s may import some',
  (from, { takes = '' }) => {
    expect(sources).toContain(takes);
    expect(walls.refuses({ from, of: takes })).toBe(false);
  },
);

test.each(all.filter(([, { takesTypes }]) => takesTypes !== undefined))(
  '%s may know of some the types alone',
  (from, { takesTypes = '' }) => {
    expect(walls.refuses({ from, of: takesTypes, kind: 'type' })).toBe(false);
    expect(walls.refuses({ from, of: takesTypes })).toBe(true);
  },
);

test.each(names.filter((name) => name !== 'runtime/index.ts'))('%s has no way around its wall', (from) => {
  expect(hidden(from).filter((tried) => !walls.refuses(tried))).toEqual([]);
});

test.each(inThreads)('%s, of which threads are made, loads no machinery of secrets', (from) => {
  expect(heavy.filter((of) => !walls.refuses({ from, of }))).toEqual([]);
});

test('every folder of sources is a room, and every folder of runtime/ has sources or only tests', () => {
  expect(folders.filter((folder) => !(folder in rooms))).toEqual([]);
  const direct = readdirSync(`${root}runtime`, { withFileTypes: true }).filter((one) => one.isDirectory());
  const others = direct.map(({ name }) => `runtime/${name}`).filter((folder) => !(folder in rooms));
  expect(others).toEqual(['runtime/edge', 'runtime/fixtures', 'runtime/transparency']);
  const files = readdirSync(`${root}runtime`, { withFileTypes: true }).filter((one) => one.isFile());
  expect(files.map(({ name }) => name).filter((name) => !name.endsWith('.test.ts'))).toEqual([
    'index.ts',
    'runtime.ts',
  ]);
});

test('no rule silences another: each file is under one', async () => {
  const { files } = await wallsConfig();
  const rules = (file: string): number =>
    files.filter((globs) => globs.some((glob) => matchesGlob(file, glob))).length;
  expect(sources.filter((file) => rules(file) !== 1)).toEqual([]);
});

test('a room that is new is open to nobody until a rule says so', () => {
  expect(folders.filter((from) => !walls.refuses({ from, of: nowhere }))).toEqual([]);
});

test('tests may import everything', () => {
  const tests = folders.map((folder) => `${folder}/probe.test.ts`);
  expect(tests.filter((from) => walls.refuses({ from, of: nowhere }))).toEqual([]);
});

test('no two rooms may know each other, by way of others or not, types included', () => {
  const known = new Map<string, Set<string>>();
  for (const tried of everything) {
    const [from = '', to = ''] = [fileOf(tried.from), tried.of].map(roomOf);
    if (from !== to && !walls.refuses(tried)) known.set(from, (known.get(from) ?? new Set()).add(to));
  }
  expect(known.size).toBeGreaterThan(20);
  expect(circlesIn(new Map(Array.from(known, ([from, to]) => [from, [...to]])))).toEqual([]);
});

test('a circle is refused, also one of types alone', async () => {
  const found = await lint(
    new Map([
      ['runtime/store/a.ts', "import type { B } from './b.ts';\nexport interface A { b: B }\n"],
      ['runtime/store/b.ts', "import type { A } from './a.ts';\nexport interface B { a: A }\n"],
    ]),
  );
  expect(found.map(({ code, filename }) => `${code} ${filename}`).toSorted()).toEqual([
    'import(no-cycle) runtime/store/a.ts',
    'import(no-cycle) runtime/store/b.ts',
  ]);
});

test('no pattern looks around: the linter leaves such a pattern out without a word', async () => {
  expect((await wallsConfig()).unread).toEqual([]);
});
