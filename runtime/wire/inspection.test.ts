import { emit } from 'xstate';
import { expect, test } from 'vitest';
import { OrderedMap } from '../../actors/ordered-map.ts';
import { SortedMap } from '../../actors/sorted-map.ts';
import { WaitingList } from '../../actors/waiting-list.ts';
import { answer, reply } from '../worker/agent.ts';
import { jsonSafe } from './inspection.ts';

test('a list is shown as far as somebody reads it, however long and empty it is', () => {
  const list: unknown[] = ['first'];
  list.length = 4_000_000_000;
  const shown = (jsonSafe({ list }) as { list: unknown[] }).list;
  expect([shown[0], shown[1], shown.at(-1)]).toEqual(['first', null, '…']);
  expect(shown.length).toBeLessThan(10_002);
});

test('of the maps and lists of the runtime’s machines the first hundred entries are shown, and how many more there are', () => {
  let [failures, members, waiting] = [
    new SortedMap<string, object>(),
    new OrderedMap<object>(),
    new WaitingList(),
  ];
  expect(jsonSafe({ failures, members, waiting })).toEqual({ failures: [], members: [], waiting: [] });
  for (let n = 0; n < 250; n += 1) {
    const address = `a/${String(n).padStart(3, '0')}`;
    failures = failures.with(address, { streak: n });
    members = members.with(address, { address });
    waiting = waiting.with({ address, placement: { kind: 'fewest' } }, 'fewest');
  }
  const shown = jsonSafe({ failures, members, waiting }) as {
    failures: Record<string, unknown>;
    members: unknown[];
    waiting: unknown[];
  };
  expect(shown.failures['a/000']).toEqual({ streak: 0 });
  expect(Object.keys(shown.failures)).toHaveLength(101);
  expect(shown.failures['…']).toBe('… 150 more');
  expect(shown.members.slice(0, 2)).toEqual([{ address: 'a/000' }, { address: 'a/001' }]);
  expect(shown.waiting).toHaveLength(101);
  expect(shown.waiting[0]).toMatchObject({ address: 'a/000' });
  expect(shown.waiting.at(-1)).toBe('… 150 more');
});

test('a collection that says no end, or throws, is shown as far as it goes', () => {
  const endless = {
    size: Infinity,
    *[Symbol.iterator]() {
      for (let n = 0; ; n += 1) yield n;
    },
  };
  const broken = {
    size: 1,
    [Symbol.iterator]: () => {
      throw new Error('not now');
    },
  };
  expect((jsonSafe({ endless }) as { endless: unknown[] }).endless).toHaveLength(101);
  expect(jsonSafe({ broken })).toEqual({ broken: '[unreadable]' });
});

test('the actions that Holdfast and XState make have their names', () => {
  const actions = [reply(1), answer(() => undefined, 1), emit({ type: 'told' }), () => {}];
  expect(jsonSafe(actions)).toEqual(['reply', 'answer', 'emit', 'inline'].map((type) => ({ type })));
});
