import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import type { SignedOrder } from './agents/orders.ts';
import { checkSecrecy, checkSignatures } from './checks.ts';
import { createRecord } from './record.ts';

const keys = new Map([
  ['v1', 'desk-made-up-key-one'],
  ['v2', 'desk-made-up-key-two'],
]);

function signed(keyVersion: string, key: string): SignedOrder {
  const order = { symbol: 'MSFT', side: 'buy', price: 1, date: '2000-01-01', pass: 1 } as const;
  const text = JSON.stringify(['order', 'MSFT', 'buy', 1, '2000-01-01', 1]);
  return { ...order, keyVersion, signature: createHmac('sha256', key).update(text).digest('hex') };
}

test('signatures are counted by the version that made them', () => {
  const orders = [signed('v1', 'desk-made-up-key-one'), signed('v2', 'desk-made-up-key-two')];
  expect(checkSignatures([...orders, ...orders.slice(1)], [], keys)).toEqual({
    byVersion: new Map([
      ['v1', 1],
      ['v2', 2],
    ]),
    orders: 3,
    reports: 0,
    wrong: 0,
  });
});

test('a signature of another key is wrong and counts for no version', () => {
  const check = checkSignatures([signed('v1', 'some-other-key')], [], keys);
  expect(check).toMatchObject({ wrong: 1, byVersion: new Map() });
});

test('a clean record is clean, and the search says that it works', () => {
  const record = createRecord();
  record.add('event', { type: 'order' });
  record.add('output', 'all is well');
  expect(checkSecrecy(record, keys)).toMatchObject({
    hits: [],
    searched: new Map([
      ['event', 1],
      ['output', 1],
    ]),
    trustworthy: true,
  });
});

test.each(['event', 'reply', 'snapshot', 'log', 'notice', 'status', 'output'] as const)(
  'a key planted in a record of kind %s is found, the old version as well as the new',
  (kind) => {
    for (const [versionId, value] of keys) {
      const record = createRecord();
      record.add(kind, { deep: [{ down: Buffer.from(value).toString('hex') }] });
      expect(checkSecrecy(record, keys).hits).toEqual([{ kind, canary: versionId, encoding: 'hex' }]);
    }
  },
);
