import { expect, test } from 'vitest';
import { exactly } from './figures.ts';
import { activeStates, chartGraph, valueText } from './chart-graph.ts';

const config = {
  id: 'order',
  initial: 'new',
  on: { cancel: '#gone' },
  states: {
    new: {
      entry: [{ type: 'note' }],
      on: { pay: { target: 'paying', guard: 'isRich', actions: ['charge', { type: 'xstate.assign' }] } },
      always: { target: 'paid', guard: { type: 'isFree' } },
    },
    paying: {
      invoke: { src: 'bank', onDone: 'paid', onError: [{ target: 'new' }] },
      after: { 1000: 'new', slow: { actions: 'warn' } },
    },
    paid: {
      type: 'parallel',
      states: { mail: { initial: 'out', states: { out: {} } }, stock: {} },
      onDone: '.mail',
    },
    gone: { id: 'gone', type: 'final' },
    odd: { on: { x: '#order.paid.mail' } },
  },
};

const graph = chartGraph(JSON.stringify(config));

test.each([
  [{ states: { a: {}, b: '…' } }],
  [{ states: { a: { on: { GO: '…' } } } }],
  [{ states: { a: { on: { GO: [{ target: 'b' }, '…'] } } } }],
  [{ states: { a: { states: { b: { invoke: { src: 'x', onDone: '…' } } } } } }],
  [{ states: '…' }],
])('of a config that was cut its chart says so: %j', (cut) => {
  expect(chartGraph(JSON.stringify(cut))?.isCut).toBe(true);
  const whole = JSON.stringify(cut).replaceAll('"…"', '{}');
  expect(chartGraph(whole)?.isCut).toBe(false);
  expect(chartGraph(JSON.stringify({ ...JSON.parse(whole), description: '…' }))?.isCut).toBe(false);
});

test('each transition has its event, guard and actions, `always` and delays included', () => {
  expect(graph?.transitions).toEqual([
    { from: 'order', to: 'order.gone', label: 'cancel' },
    { from: 'order.new', to: 'order.paying', label: 'pay [isRich] / charge, assign' },
    { from: 'order.new', to: 'order.paid', label: 'always [isFree]' },
    { from: 'order.paying', to: 'order.new', label: 'after 1 s', delay: 1000 },
    { from: 'order.paying', to: 'order.paying', label: 'after slow / warn' },
    { from: 'order.paying', to: 'order.paid', label: 'done bank' },
    { from: 'order.paying', to: 'order.new', label: 'error bank' },
    { from: 'order.paid', to: 'order.paid.mail', label: 'done' },
    { from: 'order.odd', to: 'order.paid.mail', label: 'x' },
  ]);
});

test('states are ranked by how far they are from the initial one; those that nothing leads to come last', () => {
  const keys = graph?.root.ranks.map((rank) => rank.map(({ key }) => key));
  expect(keys).toEqual([['new'], ['paying', 'paid'], ['gone', 'odd']]);
  const [first] = graph?.root.ranks[0] ?? [];
  expect(first).toMatchObject({ isInitial: true, notes: ['entry / note'], type: 'atomic' });
  const paid = graph?.root.ranks[1]?.[1];
  expect(paid).toMatchObject({ type: 'parallel' });
  expect(paid?.ranks.map((rank) => rank.map(({ key }) => key))).toEqual([['mail', 'stock']]);
});

test('the active states are those of the value, and all that they are in', () => {
  expect(activeStates({ paid: { mail: 'out', stock: {} } }, 'order')).toEqual(
    new Set(['order', 'order.paid', 'order.paid.mail', 'order.paid.mail.out', 'order.paid.stock']),
  );
  expect(valueText({ paid: { mail: 'out', stock: {} } })).toBe('paid.mail.out · stock');
  expect(valueText('new')).toBe('new');
});

test('what is no machine has no chart', () => {
  expect(chartGraph(undefined)).toBeUndefined();
  expect(chartGraph('{')).toBeUndefined();
  expect(chartGraph('{}')?.root).toMatchObject({ key: '(machine)', type: 'atomic' });
});

test('a machine without an id has the name of whoever it is', () => {
  const graph = chartGraph('{"initial":"a","states":{"a":{"on":{"go":"b"}},"b":{}}}', 'trader');
  expect(graph?.root.key).toBe('trader');
  expect(graph?.transitions).toMatchObject([{ from: 'trader.a', to: 'trader.b' }]);
  expect(chartGraph('{"id":"own"}', 'trader')?.root.key).toBe('own');
});

test('a function that was written in place is called so, and not by the key that it stands at', () => {
  const inline = { guard: { type: 'guard' }, actions: [{ type: 'actions' }, { type: 'reply' }] };
  const config = { states: { a: { entry: [{ type: 'entry' }], on: { go: inline } } } };
  const graph = chartGraph(JSON.stringify(config));
  expect(graph?.transitions).toMatchObject([{ label: 'go [inline] / inline, reply' }]);
  expect(graph?.root.ranks[0]?.[0]?.notes).toEqual(['entry / inline']);
});

test('a delay is said in the largest unit that says it exactly', () => {
  const times = [86_400_000, 604_800_000, 90_000, 1500, 1234, 1001, 0, 36_000_000];
  expect(times.map(exactly)).toEqual([
    '24 h',
    '7 d',
    '1.5 min',
    '1.5 s',
    '1234 ms',
    '1001 ms',
    '0 ms',
    '10 h',
  ]);
});
