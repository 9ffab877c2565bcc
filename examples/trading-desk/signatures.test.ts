import { expect, test } from 'vitest';
import type { Capability, Secret } from 'holdfast';
import type { SignedReport } from './agents/finance-agent.ts';
import type { Order, SignedOrder } from './agents/orders.ts';
import { orderVerifies, reportVerifies, signOrder, signReport } from './signatures.ts';

const keys = new Map([
  ['v1', 'desk-key-one'],
  ['v2', 'desk-key-two'],
]);

const order: Order = { symbol: 'MSFT', side: 'buy', price: 28.8, date: '2010-03-01', pass: 1 };
const report = {
  book: 'shares',
  asOf: '2010-03-01',
  value: 100,
  drawdown: 0.5,
  trades: 3,
  holdings: [{ symbol: 'MSFT', value: 100, trades: 3 }],
};

async function run(capability: Capability, args: unknown, versionId = 'v1'): Promise<unknown> {
  const secret: Secret = {
    label: 'desk-key',
    versionId,
    use: async (fn) => await fn(Buffer.from(keys.get(versionId) ?? '')),
  };
  const signal = new AbortController().signal;
  return await capability.run(secret, args, {
    instance: 'trading-agent/MSFT',
    incarnation: 1,
    signal,
    rejected: () => Promise.resolve(secret),
  });
}

test('a signed order says which key signed it and verifies with that key alone', async () => {
  const signed = (await run(signOrder, order, 'v2')) as SignedOrder;
  expect(signed).toMatchObject({ ...order, keyVersion: 'v2' });
  expect(signed.signature).toMatch(/^[0-9a-f]{64}$/);
  expect(orderVerifies(signed, keys)).toBe(true);
  expect(orderVerifies({ ...signed, keyVersion: 'v1' }, keys)).toBe(false);
  expect(orderVerifies({ ...signed, keyVersion: 'unknown' }, keys)).toBe(false);
});

test.each([
  { symbol: 'IBM' },
  { side: 'sell' as const },
  { price: 28.81 },
  { date: '2010-03-02' },
  { pass: 2 },
  { signature: '' },
  { signature: 'not hex' },
])('an order does not verify after %j', async (change) => {
  const signed = (await run(signOrder, order)) as SignedOrder;
  expect(orderVerifies({ ...signed, ...change }, keys)).toBe(false);
});

test('the order of keys in an order does not matter', async () => {
  const signed = (await run(signOrder, order)) as SignedOrder;
  const turned = Object.fromEntries(Object.entries(signed).toReversed()) as unknown as SignedOrder;
  expect(orderVerifies(turned, keys)).toBe(true);
});

test('a report verifies, and not after its value was changed', async () => {
  const signed = (await run(signReport, report)) as SignedReport;
  expect(reportVerifies(signed, keys)).toBe(true);
  expect(reportVerifies({ ...signed, value: 101 }, keys)).toBe(false);
  expect(reportVerifies({ ...signed, drawdown: 0.4 }, keys)).toBe(false);
});

test.each([
  ['nothing', undefined],
  ['an order without a price', { ...order, price: undefined }],
  ['an order with a side of its own', { ...order, side: 'hold' }],
  ['an order whose price is a text', { ...order, price: '28.8' }],
])('%s is not signed', async (_, args) => {
  await expect(run(signOrder, args)).rejects.toThrow(/order/);
});

test('something else than a report is not signed', async () => {
  await expect(run(signReport, order)).rejects.toThrow(/report/);
});

test('what comes back holds only the order, its signature and the version', async () => {
  const signed = await run(signOrder, { ...order, extra: 'x' });
  expect(Object.keys(signed as object).toSorted()).toEqual([
    'date',
    'keyVersion',
    'pass',
    'price',
    'side',
    'signature',
    'symbol',
  ]);
});
