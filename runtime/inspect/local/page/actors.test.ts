import { expect, test } from 'vitest';
import { Actors } from './actors.ts';
import type { InspectionEvent, Instance, Snapshot } from './told.ts';
import { treeRows } from './tree-rows.ts';

let made = 0;
const base = (sessionId: string) => ({ sessionId, createdAt: '1000', id: `e${(made += 1)}` });
const born = (id: string, parentId?: string, more: object = {}): InspectionEvent => ({
  ...base(id),
  type: '@xstate.actor',
  name: id.slice(id.lastIndexOf('/') + 1),
  snapshot: { status: 'active' },
  ...(parentId !== undefined && { parentId }),
  ...more,
});
const state = (id: string, snapshot: Snapshot): InspectionEvent => ({
  ...base(id),
  type: '@xstate.snapshot',
  snapshot,
});
const told = (id: string, type: string, sourceId?: string): InspectionEvent => ({
  ...base(id),
  type: '@xstate.event',
  event: { type },
  ...(sourceId !== undefined && { sourceId }),
});

const pool = 'supervisor/pool:p';
const thread = `${pool}/thread:1`;
const place = { holdfast: { threadId: 'p', thread: 'holdfast:p:1' } };

function desk(): Actors {
  const actors = new Actors();
  actors.apply(
    [
      born('supervisor'),
      born(pool, 'supervisor', { definition: '{}' }),
      born(thread, pool, { definition: '{}' }),
      born('trader/a', thread, place),
      born('trader/a/1', 'trader/a'),
      born('trader/b', thread, place),
    ],
    0,
  );
  return actors;
}

const names = (actors: Actors, filter = '', opened = new Map<string, boolean>()): string[] =>
  treeRows(actors, { filter: { text: filter }, opened }).map(
    ({ actor, level }) => `${'·'.repeat(level - 1)}${actor.name}`,
  );

test('actors stand below their parents, instances closed', () => {
  const actors = desk();
  expect(names(actors)).toEqual(['supervisor', '·pool:p', '··thread:1', '···a', '···b']);
  expect(names(actors, '', new Map([['trader/a', true]]))).toContain('····1');
  expect([...actors.byId.values()].map(({ kind }) => kind)).toEqual([
    'runtime',
    'pool',
    'thread',
    'instance',
    'child',
    'instance',
  ]);
});

test('a filter shows what has it, and what that is in', () => {
  expect(names(desk(), 'TRADER/B')).toEqual(['supervisor', '·pool:p', '··thread:1', '···b']);
  expect(names(desk(), 'nobody')).toEqual([]);
});

test('of those that were found elsewhere all are shown that are there, with what they are in', () => {
  const actors = desk();
  const filter = { text: '', found: new Set(['trader/a', 'trader/gone']) };
  const shown = treeRows(actors, { filter, opened: new Map() }).map(({ actor }) => actor.id);
  expect(shown.at(-1)).toBe('trader/a');
  expect(new Set(shown)).toEqual(new Set(actors.lineage('trader/a').map(({ id }) => id)));
  expect(treeRows(actors, { filter: { text: '', found: new Set() }, opened: new Map() })).toEqual([]);
});

test('what the runtime only invokes is left out of the tree', () => {
  const actors = desk();
  actors.apply([born(`${thread}/worker`, thread)], 0);
  expect(names(actors)).not.toContain('···worker');
});

test('one that ended is shown for a while with its last state, then forgotten with its children', () => {
  const actors = desk();
  actors.apply([state('trader/a', { status: 'active', value: 'open', context: { n: 1 } })], 0);
  actors.apply([state('trader/a', { status: 'stopped' })], 1000);
  expect(actors.byId.get('trader/a')).toMatchObject({
    endedAt: 1000,
    snapshot: { status: 'stopped', value: 'open', context: { n: 1 } },
  });
  actors.sweep(8999);
  expect(actors.byId.has('trader/a')).toBe(true);
  actors.sweep(9000);
  expect(actors.byId.has('trader/a')).toBe(false);
  expect(actors.byId.has('trader/a/1')).toBe(false);
});

test('one that begins anew elsewhere moves there, and is not forgotten', () => {
  const actors = desk();
  const next = `${pool}/thread:2`;
  actors.apply([state('trader/a', { status: 'stopped' }), born(next, pool, { definition: '{}' })], 0);
  actors.apply([born('trader/a', next, place)], 1);
  actors.sweep(100_000);
  expect(actors.byId.get('trader/a')).toMatchObject({ parentId: next, endedAt: undefined });
  expect(names(actors)).toEqual(['supervisor', '·pool:p', '··thread:1', '···b', '··thread:2', '···a']);
});

test('the latest messages are kept, each counted at who gets it', () => {
  const actors = desk();
  for (let n = 0; n < 3000; n += 1) actors.apply([told('trader/b', `e${n}`, 'trader/a')], 0);
  expect(actors.messages.length).toBeLessThanOrEqual(1000);
  expect(actors.messages.at(-1)).toEqual({ at: 1000, from: 'trader/a', to: 'trader/b', type: 'e2999' });
  expect(actors.byId.get('trader/b')?.events).toBe(3000);
});

const instance = (address: string, state: string): Instance => ({
  address,
  threadId: 'p',
  incarnation: 3,
  restarts: 2,
  state,
  handled: 0,
  mailbox: 0,
  capacity: 10,
});

test('one that is quarantined stays below its pool with its last state until it runs again, whatever became of its thread', () => {
  const actors = desk();
  actors.apply([state('trader/a', { status: 'active', value: 'open' })], 0);
  actors.apply([state('trader/a', { status: 'error', value: 'open', error: { message: 'no' } })], 0);
  actors.hold([instance('trader/a', 'quarantined')], 0);
  actors.apply([state(thread, { status: 'stopped' })], 0);
  actors.sweep(100_000);
  expect(names(actors)).toEqual(['supervisor', '·pool:p', '··a']);
  actors.learnMachine({ machine: 1, definition: '{}' });
  actors.replace([
    { ids: ['supervisor'] },
    { ids: [pool], name: 'pool:p', parentId: 'supervisor', machine: 1 },
  ]);
  expect(names(actors)).toEqual(['supervisor', '·pool:p', '··a']);
  expect(actors.byId.get('trader/a')).toMatchObject({ parentId: pool, snapshot: { value: 'open' } });
  const next = `${pool}/thread:2`;
  actors.apply([born(next, pool, { definition: '{}' }), born('trader/a', next, place)], 100_000);
  actors.hold([instance('trader/a', 'running')], 100_000);
  actors.sweep(200_000);
  expect(names(actors)).toEqual(['supervisor', '·pool:p', '··thread:2', '···a']);
});

test('one that waits for its restart stays where it was, or below its pool when its thread is forgotten', () => {
  const actors = desk();
  actors.apply([state('trader/a', { status: 'stopped' })], 0);
  actors.hold([instance('trader/a', 'restarting')], 0);
  actors.sweep(100_000);
  expect(names(actors)).toEqual(['supervisor', '·pool:p', '··thread:1', '···a', '···b']);
  actors.apply([state(thread, { status: 'stopped' })], 100_000);
  actors.sweep(200_000);
  expect(names(actors)).toEqual(['supervisor', '·pool:p', '··a']);
});

test('one that was quarantined before anybody looked is in the tree, and leaves it a while after it was stopped', () => {
  const actors = desk();
  actors.hold([instance('trader/z', 'quarantined')], 0);
  expect(names(actors)).toContain('··trader/z');
  actors.hold([], 100_000);
  actors.sweep(107_000);
  expect(actors.byId.has('trader/z')).toBe(true);
  actors.sweep(108_000);
  expect(actors.byId.has('trader/z')).toBe(false);
});

test('the latest hundred that ended with an error stay, and one that begins anew is none of them', () => {
  const actors = desk();
  for (let n = 0; n < 150; n += 1) {
    actors.apply([born(`trader/f${n}`, thread, place), state(`trader/f${n}`, { status: 'error' })], n);
  }
  actors.apply([born('trader/f149', thread, place)], 200);
  actors.sweep(100_000);
  const failed = [...actors.byId.keys()].filter((id) => id.startsWith('trader/f'));
  expect(failed).toHaveLength(100);
  expect(actors.byId.get('trader/f149')?.endedAt).toBeUndefined();
  expect(actors.byId.has('trader/f49')).toBe(false);
});

test('when a state was seen to change is kept, with what it was before', () => {
  const actors = desk();
  const changed = (): unknown => actors.byId.get('trader/a')?.changed;
  const in_ = (value: unknown): InspectionEvent => ({
    ...base('trader/a'),
    type: '@xstate.snapshot',
    snapshot: { status: 'active', value },
  });
  expect(changed()).toBe(undefined);
  actors.apply([in_({ a: { b: 'c' } })], 10);
  actors.apply([in_({ a: { b: 'c' } })], 20);
  expect(changed()).toMatchObject({ at: 10 });
  actors.apply([in_({ a: { b: 'd' } })], 30);
  expect(changed()).toEqual({ before: { a: { b: 'c' } }, at: 30 });
  actors.apply([in_({ a: { b: 'd' }, e: 'f' })], 40);
  expect(changed()).toMatchObject({ at: 40 });
  // A new incarnation has not been in any state before.
  actors.apply([born('trader/a', thread, place)], 50);
  expect(changed()).toBe(undefined);
});

test('actors are listed in parts, in any order, and each part leaves those alone of which more is known', () => {
  const actors = desk();
  actors.learnMachine({ machine: 7, definition: '{"id":"m"}' });
  actors.apply([state('trader/a', { status: 'active', value: 'open' })], 0);
  actors.list([{ ids: ['late/1/kid'], name: 'kid', parentId: 'late/1' }]);
  const listed = { parentId: thread, machine: 7, isInstance: true } as const;
  actors.list([{ ...listed, ids: ['trader/a', 'trader/c', 'late/1'] }]);
  expect(names(actors, '', new Map([['late/1', true]]))).toEqual([
    'supervisor',
    '·pool:p',
    '··thread:1',
    '···a',
    '···b',
    '···trader/c',
    '···late/1',
    '····kid',
  ]);
  expect(actors.byId.get('trader/a')).toMatchObject({ isTold: true, snapshot: { value: 'open' } });
  expect(actors.byId.get('trader/c')).toMatchObject({
    isTold: false,
    definition: '{"id":"m"}',
    kind: 'instance',
  });
  // One that began anew has nothing of what it had.
  actors.list([{ ...listed, ids: ['trader/a'] }], { haveBegun: true });
  expect(actors.byId.get('trader/a')).toMatchObject({ isTold: false, snapshot: {} });
});

test('a state that an actor has had for a while was not seen to change, and what was seen before is kept', () => {
  const actors = desk();
  actors.list([{ ids: ['trader/c'], parentId: thread, isInstance: true }]);
  const open = state('trader/c', { status: 'active', value: 'open' });
  const begun = born('trader/c', thread, place);
  actors.learn([begun, open], 10);
  expect(actors.byId.get('trader/c')).toMatchObject({ isTold: true, changed: undefined });
  const closed = state('trader/c', { status: 'active', value: 'closed' });
  actors.apply([closed], 20);
  actors.learn([begun, closed], 30);
  expect(actors.byId.get('trader/c')?.changed).toEqual({ before: 'open', at: 20 });
  actors.learn([begun, state('trader/c', { status: 'active', value: 'gone' })], 40);
  expect(actors.byId.get('trader/c')).toMatchObject({ snapshot: { value: 'gone' }, changed: undefined });
});
