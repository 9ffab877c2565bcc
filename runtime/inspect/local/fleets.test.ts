import { expect, test } from 'vitest';
import type { InstanceStatus, RuntimeStatus } from '../../telling/status.ts';
import type { KnownActor } from '../inspection-hub.ts';
import { fleetQuestion, Fleets, mostRows, type FleetOrder } from './fleets.ts';

const NOW = 1_000_000;

const machine = JSON.stringify({
  initial: 'idle',
  states: {
    idle: {},
    busy: { initial: 'model', states: { model: {}, past: { type: 'history' }, tool: {} } },
    done: { type: 'final' },
  },
});

interface Given extends Partial<InstanceStatus> {
  readonly value?: unknown;
  readonly forMs?: number;
}

function rig(given: Readonly<Record<string, Given>>, scrub: <T>(value: T) => T = (value) => value) {
  let [now, statuses] = [NOW, 0];
  const entries = Object.entries(given);
  const instances = entries.map(([address, more]) => {
    const agent = address.split('/')[0] ?? '';
    return Object.assign(
      { address, agent, thread: 1, restarts: 0, state: 'running', mailbox: 0, capacity: 10 },
      more,
    );
  });
  const known = entries.map(([id, { value, forMs = 0 }]): KnownActor => ({
    id,
    name: id,
    parentId: undefined,
    isInstance: true,
    definition: machine,
    state: { status: 'active', value } as never,
    since: NOW - forMs,
  }));
  const fleets = new Fleets({
    hub: { actors: () => known.values() as never, scrub },
    clock: { now: () => now, date: () => NOW },
    status: () => {
      statuses += 1;
      return { instances } as unknown as RuntimeStatus;
    },
  });
  const ask = (more: Partial<Parameters<Fleets['fleet']>[0]> = {}) =>
    fleets.fleet({ agent: 'a', order: 'worst', isReversed: false, from: 0, count: 50, ...more });
  const addresses = (order: FleetOrder, isReversed = false): string | undefined =>
    ask({ order, isReversed })
      ?.rows.map(({ address }) => address.slice(2))
      .join('');
  return { fleets, ask, addresses, pass: (ms: number) => (now += ms), taken: () => statuses };
}

const failed = (at: number) => ({ cause: 'error', at, error: { name: 'E', message: 'm' } }) as const;
const quarantined = {
  state: 'quarantined',
  quarantine: {
    error: { name: 'TypeError', message: 'no' },
    failures: [{ address: 'a/q', at: NOW - 500 }],
    restarts: 2,
    withinMs: 1000,
  },
} as never;

test('instances are counted by the innermost states that they are in, in the order of the machine, and phases come first', () => {
  const { fleets } = rig({
    'a/1': { value: { busy: 'tool' } },
    'a/2': { value: 'idle' },
    'a/3': { value: { busy: 'tool' } },
    'a/q': quarantined,
    'b/1': { value: undefined },
    'a/4': { value: { left: 'x', right: { y: 'z' } } },
  });
  expect(fleets.summaries()).toEqual([
    {
      agent: 'a',
      total: 5,
      states: [
        { name: 'is:quarantined', count: 1 },
        { name: 'idle', count: 1, place: 0 },
        { name: 'busy.tool', count: 2, place: 2 },
        { name: 'left.x', count: 1 },
        { name: 'right.y.z', count: 1 },
      ],
    },
    { agent: 'b', total: 1, states: [] },
  ]);
});

test('a state with others in it counts each of its instances once, and is drilled down into like the others', () => {
  const { ask } = rig({
    'a/1': { value: { busy: 'tool' }, forMs: 10 },
    'a/2': { value: { busy: 'model' }, forMs: 30 },
    'a/3': { value: 'idle' },
    'a/4': { value: { busy: { l: 'x', r: 'y' } } },
    'a/5': { value: 'busyness' },
  });
  expect(ask()?.outer).toContainEqual({ name: 'busy', count: 3 });
  expect(ask({ state: 'busy' })).toMatchObject({ total: 5, matched: 3 });
  expect(ask({ state: 'busy.tool' })?.rows).toEqual([
    { address: 'a/1', states: ['busy.tool'], forMs: 10, mailbox: 0, restarts: 0 },
  ]);
  expect(ask()?.medianMs).toMatchObject({ 'busy.model': 30 });
  expect(ask({ agent: 'nobody' })).toBeUndefined();
});

test('they are listed by what is worst, by their time in a state, their mailbox, restarts and failures, either way round', () => {
  const { addresses, ask } = rig({
    'a/1': { value: 'idle', forMs: 10, mailbox: 3 },
    'a/2': { value: 'busy', forMs: 30, restarts: 4, failure: failed(NOW - 900) },
    'a/3': { value: 'done', forMs: 20, mailbox: 9 },
    'a/q': quarantined,
  });
  expect(addresses('worst')).toBe('q231');
  expect(addresses('address')).toBe('123q');
  expect(addresses('address', true)).toBe('q321');
  expect(addresses('state')).toBe('231q');
  expect(addresses('time')).toBe('q231');
  expect(addresses('mailbox')).toBe('312q');
  expect(addresses('restarts')).toBe('213q');
  expect(addresses('failure')).toBe('q213');
  expect(ask({ state: 'is:quarantined' })?.rows).toEqual([
    {
      address: 'a/q',
      states: ['is:quarantined'],
      forMs: 500,
      mailbox: 0,
      restarts: 0,
      failure: { at: NOW - 500, text: 'TypeError: no' },
    },
  ]);
});

test('of 10,000 instances a page is told the counts and the rows that it asks for, at most 200', () => {
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`a/${n}`, { value: 'idle' }]));
  const { ask } = rig(many);
  const told = ask({ order: 'address', from: 9990, count: 50 });
  expect(told).toMatchObject({ total: 10_000, matched: 10_000, from: 9990 });
  expect(told?.rows).toHaveLength(10);
  expect(ask({ count: 100_000 })?.rows).toHaveLength(mostRows);
  expect(JSON.stringify(ask({ count: 100_000 })).length).toBeLessThan(25_000);
});

test('however many look, the instances are counted at most twice a second', () => {
  const { fleets, ask, pass, taken } = rig({ 'a/1': { value: 'idle' } });
  for (let n = 0; n < 20; n += 1) {
    ask({ from: n });
    fleets.summaries();
  }
  expect(taken()).toBe(1);
  pass(500);
  ask();
  expect(taken()).toBe(2);
});

test('nothing of it holds the value of a secret', () => {
  const hide = <T>(value: T): T => JSON.parse(JSON.stringify(value).replaceAll('CANARY', '-')) as T;
  const { fleets, ask } = rig(
    {
      'a/CANARY': {
        value: { busy: 'CANARY' },
        failure: { ...failed(1), error: { name: 'E', message: 'CANARY' } },
      },
    },
    hide,
  );
  expect(JSON.stringify([ask(), fleets.summaries()])).not.toContain('CANARY');
});

test('a question that makes no sense is none', () => {
  expect(fleetQuestion({ agent: 'a' })).toEqual({
    agent: 'a',
    state: undefined,
    order: 'worst',
    isReversed: false,
    from: 0,
    count: 0,
  });
  for (const odd of [
    {},
    { agent: 1 },
    { agent: 'a', order: 'constructor' },
    { agent: 'a', from: -1 },
    { agent: 'a', count: 0.5 },
    { agent: 'a', state: {} },
    { agent: 'a', isReversed: 'no' },
  ])
    expect(fleetQuestion(odd)).toBeUndefined();
});
