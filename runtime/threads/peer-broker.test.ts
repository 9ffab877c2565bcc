import { expect, test } from 'vitest';
import { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { IncarnationEnd } from '../base/endings.ts';
import type { PeerInstance, PeerSeat, PeerThread } from '../instance/peer.ts';
import { PeerBroker } from './peer-broker.ts';
import type { Admission } from '../wire/protocol.ts';

interface Rig {
  readonly broker: PeerBroker;
  readonly thread: (pool: string, gone?: boolean) => PeerThread;
  readonly admitted: Admission[];
  readonly letters: DeadLetters;
  /** Who watches the instance. */
  readonly watching: ReadonlySet<unknown>;
  readonly handle: (count: number) => void;
  /** Tells those who watch an instance at `c/…`, which another node has. */
  readonly end: (end: IncarnationEnd) => void;
}

/** Everybody at `b/…` runs on one thread; agents are named like their pools. */
function rig(): Rig {
  const admitted: Admission[] = [];
  const letters = new DeadLetters(() => {});
  const watching = new Set<unknown>();
  let handled = 0;
  const thread = (pool: string, gone = false): PeerThread => ({
    pool,
    gone,
    join: (_peer, port) => port.close(),
    admit: (admission) => Promise.resolve(admitted.push(admission) > 0),
    dismiss: () => Promise.resolve(),
    sever() {},
    takeSlot: () => ({ slot: 1, base: 0 }),
    freeSlot() {},
    counted: () => handled,
  });
  const watch = (listener: unknown): { unsubscribe(): void } => {
    watching.add(listener);
    return { unsubscribe: () => void watching.delete(listener) };
  };
  const host = thread('b');
  const instance: PeerInstance = {
    address: 'b/1',
    agent: { name: 'b', capacity: 400, maxBytes: 1000 },
    sharedMemory: false,
    handledFromPeers() {},
    incarnation: 1,
    over: false,
    seated: () => Promise.resolve(seat),
    sits: () => true,
    holds: () => true,
    watchers: { watch },
  };
  const seat: PeerSeat = { host, slot: 0, instance, links: new Map() };
  const broker = new PeerBroker({
    instanceAt: (address) => (address.startsWith('b/') ? instance : undefined),
    poolOf: (address) => address.split('/')[0],
    activate: () => Promise.reject(new Error('nobody is started in this test')),
    watchAway: (address) => (address.startsWith('c/') ? watch : undefined),
    deadLetters: letters,
  });
  const end = (ended: IncarnationEnd): void => {
    for (const listener of watching) (listener as (end: IncarnationEnd) => void)(ended);
  };
  return { broker, thread, admitted, letters, watching, handle: (count) => (handled += count), end };
}

const taken = (): SharedArrayBuffer => new SharedArrayBuffer(4);

test('a thread speaks for the instances of its own pool only', async () => {
  const { broker, thread, admitted } = rig();
  const from = thread('a');
  for (const [i, sender] of ['a/1', 'c/1', 5, undefined].entries())
    await broker.connect(from, { sender, address: 'b/1', id: i, taken: taken() });
  expect(admitted.map((admission) => admission.from)).toEqual(['a/1', undefined, undefined, undefined]);
});

test('the first link to an instance takes as much as its mailbox, the next ones less, and none less than a turn', async () => {
  const { broker, thread } = rig();
  const from = thread('a');
  const capacities: unknown[] = [];
  for (let id = 1; id <= 30; id++) {
    const line = await broker.connect(from, { sender: `a/${id}`, address: 'b/1', id, taken: taken() });
    capacities.push((line as { capacity?: number }).capacity);
  }
  expect(capacities.slice(0, 3)).toEqual([400, 200, 133]);
  expect(capacities.at(-1)).toBe(16);
});

test('a request that is none, and one of a thread that is gone, are refused', async () => {
  const { broker, thread, admitted } = rig();
  const good = { sender: 'a/1', address: 'b/1', id: 1, taken: taken() };
  for (const bad of [{ address: 5 }, { id: 'x' }, { taken: new ArrayBuffer(4) }, { address: 'nobody/1' }]) {
    expect(await broker.connect(thread('a'), { ...good, ...bad })).toEqual({ refused: 'unknown-address' });
  }
  expect(await broker.connect(thread('a', true), good)).toEqual({ refused: 'stopped' });
  expect(admitted).toEqual([]);
});

test('what a thread had taken and nobody handled when it died is one letter for each address', async () => {
  const { broker, thread, letters, handle } = rig();
  const from = thread('a');
  const [open, never] = [taken(), taken()];
  await broker.connect(from, { sender: 'a/1', address: 'b/1', id: 1, taken: open });
  await broker.connect(from, { sender: 'a/1', address: 'nobody/1', id: 2, taken: never });
  new Int32Array(open)[0] = 10;
  new Int32Array(never)[0] = 3;
  handle(6);
  broker.gone(from);
  await expect.poll(() => letters.list().length).toBe(2);
  expect(letters.list()).toMatchObject([
    { address: 'nobody/1', lost: 3, reason: 'crashed' },
    { address: 'b/1', lost: 4, reason: 'crashed', event: undefined },
  ]);
});

test('what a thread wants to know of an instance is forgotten with the thread', async () => {
  const { broker, thread, watching } = rig();
  const from = thread('a');
  void broker.ended(from, 'b/1');
  void broker.ended(from, 'b/1');
  void broker.ended(from, 'c/1');
  expect(watching.size).toBe(3);
  broker.gone(from);
  expect(watching.size).toBe(0);
});

test('the end of an instance that another node has is told as that tells it', async () => {
  const { broker, thread, end } = rig();
  const ended = broker.ended(thread('a'), 'c/1');
  const told: IncarnationEnd = { address: 'c/1', incarnation: 3, reason: 'unreachable' };
  end(told);
  expect(await ended).toEqual(told);
  const nobody = { address: 'd/1', incarnation: 0, reason: 'stopped' };
  expect(await broker.ended(thread('a'), 'd/1')).toEqual(nobody);
});
