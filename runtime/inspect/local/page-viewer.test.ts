import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import type { InspectionEvent } from '../../wire/inspection.ts';
import type { KnownActor } from '../inspection-hub.ts';
import { Machines } from './machines.ts';
import { mostListed, PageViewer, type Figures } from './page-viewer.ts';

const definition = JSON.stringify({ initial: 'a', states: { a: {}, b: {} } });
const thread = 'supervisor/pool:p/thread:1';

const event = (type: InspectionEvent['type'], sessionId: string, more: object = {}): InspectionEvent =>
  ({ type, sessionId, id: `${type} ${sessionId}`, snapshot: { status: 'active' }, ...more }) as never;

/** A page that looks at `count` instances of one machine, each with a context of 1 KB. */
function rig(count: number) {
  const actors = new Map<string, KnownActor>();
  const put = (id: string, more: Partial<KnownActor> = {}): void => {
    const state = { status: 'active', value: 'a', context: { text: 'x'.repeat(1000) } } as never;
    actors.set(id, {
      id,
      name: id,
      parentId: thread,
      isInstance: true,
      definition,
      state,
      since: 0,
      ...more,
    });
  };
  put('supervisor', { parentId: undefined, isInstance: false, definition: undefined });
  put(thread, { parentId: 'supervisor', isInstance: false, definition: undefined });
  for (let n = 0; n < count; n += 1) put(`worker/${n}`);
  const told: { readonly kind: string; readonly data: never; readonly size: number }[] = [];
  let figures: Figures = {};
  const viewer = new PageViewer({
    name: 'me',
    hub: {
      actor: (id) => actors.get(id),
      actors: () => actors.values() as never,
      replay: (ids) =>
        Array.from(ids ?? []).flatMap((id) =>
          actors.has(id) ? [event('@xstate.actor', id, { definition }), event('@xstate.snapshot', id)] : [],
        ),
      scrub: (value) => value,
    },
    clock: systemClock,
    machines: new Machines(),
    figures: (shown) => ({ ...figures, rows: [...shown] }),
    write: (kind, data) => void told.push({ kind, data: JSON.parse(data) as never, size: data.length }),
    isFull: () => false,
  });
  return {
    viewer,
    actors,
    put,
    figuresAre: (now: Figures) => (figures = now),
    told: () => told.splice(0),
  };
}

const idsOf = (data: { listed: readonly { ids: readonly string[] }[] }): string[] =>
  data.listed.flatMap(({ ids }) => ids);

test('10,000 actors are listed in parts, by name alone, and their machine is told once', () => {
  const { viewer, told } = rig(10_000);
  viewer.begin();
  while (viewer.more());
  const all = told();
  const listings = all.filter(({ kind }) => kind === 'replay' || kind === 'listed');
  expect(listings[0]).toMatchObject({ kind: 'replay', data: { page: 'me', isLast: false } });
  expect(listings.at(-1)).toMatchObject({ kind: 'listed', data: { isLast: true } });
  for (const { data } of listings) expect(idsOf(data).length).toBeLessThanOrEqual(mostListed);
  expect(new Set(listings.flatMap(({ data }) => idsOf(data))).size).toBe(10_002);
  expect(all.filter(({ kind }) => kind === 'machine').map(({ data }) => data)).toEqual([
    { machine: 1, definition },
  ]);
  // Of contexts and definitions alone there are more than 10 MB.
  expect(all.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(200_000);
});

test('a page is told the states of those that it shows, once, and again when it begins anew', () => {
  const { viewer, told } = rig(5);
  viewer.begin();
  told();
  viewer.show(['worker/1', 'worker/2', 'gone/1']);
  expect(told()).toMatchObject([
    {
      kind: 'states',
      data: [
        { sessionId: 'worker/1', machine: 1 },
        { type: '@xstate.snapshot', sessionId: 'worker/1' },
        { sessionId: 'worker/2' },
        { sessionId: 'worker/2' },
      ],
    },
    { kind: 'status', data: { rows: ['worker/1', 'worker/2', 'gone/1'] } },
  ]);
  viewer.show(['worker/2', 'worker/1']);
  expect(told()).toEqual([]);
  viewer.begin();
  expect(told().map(({ kind }) => kind)).toEqual(['replay', 'states']);
});

test('of the status only what has changed is told', () => {
  const { viewer, figuresAre, told } = rig(1);
  figuresAre({ pools: [1], store: { state: 'ok' } });
  viewer.tick();
  figuresAre({ pools: [2], store: { state: 'ok' } });
  viewer.tick();
  viewer.tick();
  expect(told().map(({ data }) => data)).toEqual([
    { pools: [1], store: { state: 'ok' }, rows: [] },
    { pools: [2] },
    {},
  ]);
});

test('of those that were left out the states are told that are shown, of the others that they are there, or not any more', () => {
  const { viewer, actors, put, told } = rig(10);
  viewer.begin();
  viewer.show(['worker/1']);
  told();
  actors.delete('worker/3');
  put('worker/new');
  viewer.catchUp([
    { id: 'worker/1', hasBegun: false },
    { id: 'worker/2', hasBegun: false },
    { id: 'worker/3', hasBegun: false },
    { id: 'worker/new', hasBegun: true },
    { id: 'worker/short', hasBegun: true },
  ]);
  expect(told()).toMatchObject([
    {
      kind: 'events',
      data: [
        { type: '@xstate.snapshot', sessionId: 'worker/1' },
        { type: '@xstate.snapshot', sessionId: 'worker/3', snapshot: { status: 'stopped' } },
      ],
    },
    {
      kind: 'begun',
      data: { listed: [{ ids: ['worker/new'], parentId: thread, machine: 1, isInstance: true }] },
    },
  ]);
});

test('an event that says of an actor that it began has the number of its machine', () => {
  const { viewer, told } = rig(0);
  viewer.tell([event('@xstate.actor', 'worker/1', { definition }), event('@xstate.event', 'worker/1')]);
  viewer.tell([event('@xstate.actor', 'worker/2', { definition: '{}' })]);
  const [first, events, second, more] = told();
  expect(first).toMatchObject({ kind: 'machine', data: { machine: 1, definition } });
  expect(events?.data).toMatchObject([{ machine: 1 }, { type: '@xstate.event' }]);
  expect(JSON.stringify(events?.data)).not.toContain('definition');
  expect([second?.data, more?.data]).toMatchObject([{ machine: 2 }, [{ machine: 2 }]]);
});
