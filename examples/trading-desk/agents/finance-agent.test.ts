import { expect, test, vi } from 'vitest';
import { createActor, fromPromise } from 'xstate';
import type { CapabilityInput } from 'holdfast/agent';
import financeAgent, { type Report, type SignedReport } from './finance-agent.ts';
import type { SignedOrder } from './orders.ts';

const order = (pass: number, date: string, side: 'buy' | 'sell', price: number): SignedOrder => ({
  symbol: 'A',
  side,
  price,
  date,
  pass,
  signature: 'ab',
  keyVersion: 'v1',
});

function start(sign: (report: Report) => Promise<string> = async () => 'v1') {
  const machine = financeAgent.provide({
    actors: {
      signReport: fromPromise<SignedReport, CapabilityInput>(async ({ input }) => {
        const report = input.args as Report;
        return { ...report, signature: 'ab', keyVersion: await sign(report) };
      }),
    },
  });
  const actor = createActor(machine, { input: { book: 'test', stake: 100 } });
  const reports: SignedReport[] = [];
  actor.on('reported', ({ report }) => reports.push(report));
  actor.start();
  return { actor, reports };
}

const ten = { type: 'mark', symbol: 'A', date: '2000-01-01', price: 10 } as const;
const thirty = { type: 'mark', symbol: 'A', date: '2000-01-02', price: 30 } as const;

test('closing values the book and has the report signed', async () => {
  const { actor, reports } = start();
  actor.send(ten);
  actor.send({ type: 'order', order: order(1, '2000-01-01', 'buy', 10) });
  actor.send(thirty);
  actor.send({ type: 'close' });
  await vi.waitFor(() => expect(reports).toHaveLength(1));
  expect(reports[0]).toMatchObject({
    book: 'test',
    value: 300,
    trades: 1,
    asOf: '2000-01-02',
    signature: 'ab',
  });
  expect(actor.getSnapshot().context).toMatchObject({ draft: null, report: reports[0] });
  expect(actor.getSnapshot().value).toBe('open');
});

test('an order of an older pass that comes late does not count', async () => {
  const { actor, reports } = start();
  actor.send(ten);
  actor.send(thirty);
  actor.send({ type: 'order', order: order(2, '2000-01-01', 'buy', 10) });
  actor.send({ type: 'order', order: order(1, '2000-01-02', 'sell', 30) });
  actor.send({ type: 'close' });
  await vi.waitFor(() => expect(reports).toHaveLength(1));
  expect(reports[0]).toMatchObject({ value: 300, trades: 1 });
});

test('the first order of a newer pass replaces those of the older one', async () => {
  const { actor, reports } = start();
  actor.send(ten);
  actor.send(thirty);
  actor.send({ type: 'order', order: order(1, '2000-01-01', 'buy', 10) });
  actor.send({ type: 'order', order: order(2, '2000-01-02', 'buy', 30) });
  actor.send({ type: 'close' });
  await vi.waitFor(() => expect(reports).toHaveLength(1));
  expect(reports[0]).toMatchObject({ value: 100, trades: 1 });
});

test('a second close makes a new report', async () => {
  const { actor, reports } = start();
  actor.send(ten);
  actor.send({ type: 'close' });
  await vi.waitFor(() => expect(reports).toHaveLength(1));
  actor.send(thirty);
  actor.send({ type: 'close' });
  await vi.waitFor(() => expect(reports.map((report) => report.asOf)).toEqual(['2000-01-01', '2000-01-02']));
});

test('prices that come while the host signs are kept for the next report', async () => {
  let release = (): void => {};
  const { actor, reports } = start(async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return 'v1';
  });
  actor.send(ten);
  actor.send({ type: 'close' });
  actor.send(thirty);
  release();
  await vi.waitFor(() => expect(reports).toHaveLength(1));
  expect(reports[0]?.asOf).toBe('2000-01-01');
  expect(actor.getSnapshot().context.marks).toHaveLength(2);
});

test('a refused signature is asked for again with the same report', async () => {
  const drafts: Report[] = [];
  const { actor, reports } = start(async (report) => {
    drafts.push(report);
    if (drafts.length === 1) throw new Error('no key');
    return 'v2';
  });
  actor.send(ten);
  actor.send({ type: 'close' });
  await vi.waitFor(() => expect(reports).toHaveLength(1));
  expect(drafts[1]).toEqual(drafts[0]);
  expect(actor.getSnapshot().context).toMatchObject({ refused: 1 });
});

test('it counts rotations and stays where it is', () => {
  const { actor } = start();
  actor.send({ type: 'secret.rotated', label: 'desk-key' });
  expect(actor.getSnapshot().value).toBe('open');
  expect(actor.getSnapshot().context.rotations).toBe(1);
});
