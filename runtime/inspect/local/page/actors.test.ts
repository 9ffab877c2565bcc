import { expect, test } from 'vitest';
import { Actors } from './actors.ts';
import type { InspectionEvent, Snapshot } from './told.ts';
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
  treeRows(actors, { filter, opened }).map(({ actor, level }) => `${'·'.repeat(level - 1)}${actor.name}`);

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
