import { expect, test } from 'vitest';
import { chartGraph, type ChartGraph } from './chart-graph.ts';
import { planChart } from './chart-plan.ts';

const graph = chartGraph(
  JSON.stringify({
    id: 'm',
    initial: 'idle',
    on: { RESET: '.idle', PING: { actions: 'pong' } },
    states: {
      idle: { on: { GO: 'work.fast', LATER: 'nowhere' } },
      work: {
        initial: 'slow',
        on: { STOP: 'idle', DEEP: '.fast' },
        states: {
          slow: { on: { FASTER: 'fast' } },
          fast: { on: { DONE: '#m.idle', TICK: { actions: 'count' } } },
        },
      },
    },
  }),
) as ChartGraph;
const edgesOf = (closed: string[]): string[] =>
  planChart(graph, new Set(closed)).edges.map(
    ({ from, to, lines }) => `${from} -> ${to}: ${lines.join(' | ')}`,
  );

test('an edge goes between two states beside each other, and says which of those in them it is about', () => {
  expect(edgesOf([])).toEqual([
    'm.idle -> m.work: GO → fast',
    'm.work -> m.idle: STOP | fast: DONE',
    'm.work.slow -> m.work.fast: FASTER',
  ]);
});

test('what stays, goes into or out of the state itself, or nowhere, stands in its head', () => {
  const { states } = planChart(graph, new Set());
  const lines = (id: string): readonly string[] | undefined => states.get(id)?.lines;
  expect(lines('m')).toEqual(['RESET → idle', '↺ PING / pong']);
  expect(lines('m.idle')).toEqual(['LATER → m.nowhere, which is not t…']);
  expect(states.get('m.idle')?.whole).toBe('LATER → m.nowhere, which is not there');
  expect(lines('m.work')).toEqual(['DEEP → fast']);
  expect(lines('m.work.fast')).toEqual(['↺ TICK / count']);
});

test('a closed state stands for those in it, and says how many they are', () => {
  const plan = planChart(graph, new Set(['m.work']));
  expect([...plan.states.keys()]).toEqual(['m', 'm.idle', 'm.work']);
  expect(plan.states.get('m.work')).toMatchObject({ isClosed: true, children: [], lines: ['2 states'] });
  expect(edgesOf(['m.work'])).toEqual(['m.idle -> m.work: GO → fast', 'm.work -> m.idle: STOP | fast: DONE']);
});

test('a long label stands on several lines, and of many lines the rest is counted and kept for who points at it', () => {
  const on = Object.fromEntries(
    ['a', 'b', 'c', 'd', 'e'].map((event) => [event, { target: 'y', guard: `isAllowedToDo${event}` }]),
  );
  const many = chartGraph(JSON.stringify({ initial: 'x', states: { x: { on }, y: {} } })) as ChartGraph;
  const [edge] = planChart(many, new Set()).edges;
  expect(edge?.lines).toEqual(['a [isAllowedToDoa]', 'b [isAllowedToDob]', 'c [isAllowedToDoc]', '+2 more']);
  expect(edge?.whole?.split('\n')).toHaveLength(5);
  const long = {
    on: { EVENT: { target: 'y', guard: 'isAllowed', actions: ['one', 'anActionWithAVeryLongName'] } },
  };
  const wide = chartGraph(JSON.stringify({ initial: 'x', states: { x: long, y: {} } })) as ChartGraph;
  expect(planChart(wide, new Set()).edges[0]?.lines).toEqual([
    'EVENT',
    '[isAllowed]',
    '/ one, anActionWithAVeryL…',
  ]);
});

test('a line that says a delay has a clock, of the state in which it runs; one by a name has none', () => {
  const states = {
    x: { on: { GO: 'y' }, after: { 90_000: 'y', soon: 'y' } },
    y: { initial: 'z', states: { z: { after: { 10: '#m.x' } } } },
  };
  const timed = chartGraph(JSON.stringify({ id: 'm', initial: 'x', states })) as ChartGraph;
  expect(planChart(timed, new Set()).edges).toMatchObject([
    { lines: ['GO', 'after 1.5 min', 'after soon'], clocks: [{ line: 1, from: 'm.x', delay: 90_000 }] },
    { lines: ['z: after 10 ms'], clocks: [{ line: 0, from: 'm.y.z', delay: 10 }] },
  ]);
});

test('a history state says how far it knows, and leads to where it begins', () => {
  const states = { a: {}, h: { type: 'history', target: 'a' }, d: { type: 'history', history: 'deep' } };
  const past = chartGraph(JSON.stringify({ id: 'm', initial: 'a', states })) as ChartGraph;
  const plan = planChart(past, new Set());
  expect(['m.a', 'm.h', 'm.d'].map((id) => plan.states.get(id)?.mark)).toEqual([undefined, 'H', 'H*']);
  expect(plan.edges).toMatchObject([{ from: 'm.h', to: 'm.a', lines: [] }]);
});

test('a state of many transitions that stay shows some, and how many there are more', () => {
  const on = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`e${n}`, { actions: 'note' }]));
  const busy = chartGraph(JSON.stringify({ id: 'm', on })) as ChartGraph;
  const root = planChart(busy, new Set()).states.get('m');
  expect(root?.lines).toHaveLength(6);
  expect(root?.lines.at(-1)).toBe('+4 more');
  expect(root?.whole).toContain('e8');
});
