import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createActor, fromPromise, waitFor, type SnapshotFrom } from 'xstate';
import type { CapabilityInput } from 'holdfast/agent';
import { ordersOf } from '../plain-strategy.fixture.ts';
import type { Order, SignedOrder } from './orders.ts';
import tradingAgent, { type TradingEmitted } from './trading-agent.ts';

const input = { symbol: 'TEST', fast: 2, slow: 3 };

/** Signs in the host's place; each call waits until the test lets it go on. */
function start(sign: (order: Order) => Promise<string> = async () => 'signature', settings = input) {
  const machine = tradingAgent.provide({
    actors: {
      signOrder: fromPromise<SignedOrder, CapabilityInput>(async ({ input }) => {
        const order = input.args as Order;
        return { ...order, signature: await sign(order), keyVersion: input.label as string };
      }),
    },
  });
  const actor = createActor(machine, {
    input: { symbol: settings.symbol, fast: settings.fast, slow: settings.slow },
  });
  const emitted: TradingEmitted[] = [];
  actor.on('*', (event) => emitted.push(event));
  actor.start();
  return { actor, emitted };
}

type Actor = ReturnType<typeof start>['actor'];

function play(actor: Actor, prices: readonly number[], pass = 1): void {
  actor.send({ type: 'open', pass });
  for (const [day, price] of prices.entries())
    actor.send({ type: 'tick', date: `2000-01-0${day + 1}`, price });
}

const position = (actor: Actor): SnapshotFrom<typeof tradingAgent>['value']['position'] =>
  actor.getSnapshot().value.position;

test('it does nothing until the longer average is full', () => {
  const { actor } = start();
  play(actor, [3, 2]);
  expect(position(actor)).toBe('warmingUp');
  actor.send({ type: 'tick', date: '2000-01-03', price: 1 });
  expect(position(actor)).toBe('flat');
  expect(actor.getSnapshot().context.decided).toBe(0);
});

test('it buys when the fast average rises above the slow one and sells when it falls back', async () => {
  const { actor, emitted } = start();
  play(actor, [3, 2, 1, 1, 5, 6, 2]);
  await vi.waitFor(() => expect(emitted).toHaveLength(2));
  expect(emitted).toEqual([
    {
      type: 'order',
      nth: 1,
      symbol: 'TEST',
      side: 'buy',
      price: 5,
      date: '2000-01-05',
      pass: 1,
      signature: 'signature',
      keyVersion: 'desk-key',
    },
    {
      type: 'order',
      nth: 2,
      symbol: 'TEST',
      side: 'sell',
      price: 2,
      date: '2000-01-07',
      pass: 1,
      signature: 'signature',
      keyVersion: 'desk-key',
    },
  ]);
  expect(actor.getSnapshot().value).toEqual({ position: 'flat', desk: 'idle' });
});

test('a price never waits for a signature', () => {
  const { actor } = start(async () => await new Promise<string>(() => {}));
  play(actor, [3, 2, 1, 1, 5, 6, 2]);
  const { context, value } = actor.getSnapshot();
  expect(value).toEqual({ position: 'flat', desk: 'signing' });
  expect(context.ticks).toBe(7);
  expect(context.unsigned.map((order) => order.side)).toEqual(['buy', 'sell']);
});

test('orders are signed one at a time, in the order they were decided', async () => {
  const releases: (() => void)[] = [];
  const asked: string[] = [];
  const { actor, emitted } = start(async (order) => {
    asked.push(order.side);
    await new Promise<void>((resolve) => releases.push(resolve));
    return order.side;
  });
  play(actor, [3, 2, 1, 1, 5, 6, 2]);
  expect(asked).toEqual(['buy']);
  releases[0]?.();
  await vi.waitFor(() => expect(asked).toEqual(['buy', 'sell']));
  releases[1]?.();
  await vi.waitFor(() => expect(emitted).toHaveLength(2));
  expect(actor.getSnapshot().context).toMatchObject({ decided: 2, signed: 2, unsigned: [] });
});

test('an order the host refuses to sign is kept and asked for again', async () => {
  let refusals = 1;
  const { actor, emitted } = start(async () => {
    if (refusals > 0) {
      refusals -= 1;
      throw new Error('no key');
    }
    return 'late';
  });
  play(actor, [3, 2, 1, 1, 5]);
  await vi.waitFor(() => expect(emitted.map((event) => event.type)).toEqual(['order-waits', 'order']));
  expect(actor.getSnapshot().context).toMatchObject({ refused: 1, signed: 1 });
});

test('a new pass starts over with empty averages and no position', () => {
  const { actor } = start();
  play(actor, [3, 2, 1, 1, 5]);
  expect(position(actor)).toBe('long');
  play(actor, [], 2);
  expect(position(actor)).toBe('warmingUp');
  expect(actor.getSnapshot().context).toMatchObject({ pass: 2, prices: [], ticks: 5 });
});

test('it carries on through a rotation and counts it', async () => {
  const { actor, emitted } = start();
  play(actor, [3, 2, 1]);
  actor.send({ type: 'secret.rotated', label: 'desk-key' });
  expect(position(actor)).toBe('flat');
  actor.send({ type: 'tick', date: '2000-01-04', price: 9 });
  await vi.waitFor(() => expect(emitted).toHaveLength(1));
  expect(actor.getSnapshot().context.rotations).toBe(1);
});

test('what it keeps survives JSON, so it can be persisted', () => {
  const { actor } = start(async () => await new Promise<string>(() => {}));
  play(actor, [3, 2, 1, 1, 5]);
  const persisted = actor.getPersistedSnapshot();
  expect(JSON.parse(JSON.stringify(persisted))).toMatchObject({ context: { symbol: 'TEST', decided: 1 } });
});

const signed = { signature: 'signature', keyVersion: 'desk-key' };

test('over any prices it decides what a plain loop decides, whenever the signatures come', async () => {
  const price = fc.integer({ min: 1, max: 10 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(price, { maxLength: 40 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.scheduler(),
      async (values, fast, more, scheduler) => {
        const prices = values.map((value, day) => ({ date: `day ${day}`, price: value }));
        const series = {
          symbol: 'TEST',
          name: 'test',
          unit: 'points',
          prices,
          fast,
          slow: fast + more,
        } as const;
        const { actor, emitted } = start(
          async () => await scheduler.schedule(Promise.resolve('signature')),
          series,
        );
        actor.send({ type: 'open', pass: 1 });
        for (const tick of prices) actor.send({ type: 'tick', ...tick });
        const expected = ordersOf(series);
        await scheduler.waitFor(waitFor(actor, ({ context }) => context.signed === expected.length));
        expect(actor.getSnapshot().context).toMatchObject({ decided: expected.length, unsigned: [] });
        expect(emitted).toEqual(
          expected.map((order, i) => Object.assign({ type: 'order', nth: i + 1 }, order, signed)),
        );
        actor.stop();
      },
    ),
    { numRuns: 60 },
  );
});
