import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Capability, defineCapability, type Secret } from 'holdfast';
import type { Report, SignedReport } from './agents/finance-agent.ts';
import type { Order, SignedOrder } from './agents/orders.ts';

/** The host's side of signing: the only code of the desk that ever sees the key. */
export const signOrder: Capability = defineCapability('sign-order', async (secret, args) => {
  const order = toOrder(args);
  return { ...order, ...(await sign(secret, orderText(order))) };
});

export const signReport: Capability = defineCapability('sign-report', async (secret, args) => {
  const report = toReport(args);
  return { ...report, ...(await sign(secret, reportText(report))) };
});

// What comes from a thread is checked before it is signed.
function toOrder(args: unknown): Order {
  const { symbol, side, price, date, pass } = (args ?? {}) as Partial<Order>;
  const isOrder =
    typeof symbol === 'string' &&
    (side === 'buy' || side === 'sell') &&
    Number.isFinite(price) &&
    typeof date === 'string' &&
    Number.isInteger(pass);
  if (!isOrder) throw new TypeError('sign-order takes an order: { symbol, side, price, date, pass }');
  return { symbol, side, price, date, pass } as Order;
}

function toReport(args: unknown): Report {
  const report = (args ?? {}) as Partial<Report>;
  const { book, asOf, value, drawdown, trades, holdings } = report;
  const isReport =
    typeof book === 'string' &&
    typeof asOf === 'string' &&
    [value, drawdown, trades].every(Number.isFinite) &&
    Array.isArray(holdings);
  if (!isReport)
    throw new TypeError('sign-report takes a report: { book, asOf, value, drawdown, trades, holdings }');
  return { book, asOf, value, drawdown, trades, holdings } as Report;
}

async function sign(secret: Secret, text: string): Promise<{ signature: string; keyVersion: string }> {
  const signature = await secret.use((key) => hmac(key, text).toString('hex'));
  return { signature, keyVersion: secret.versionId };
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

// Arrays, so that the signed text does not depend on the order of an object's keys.
const orderText = (order: Order): string =>
  JSON.stringify(['order', order.symbol, order.side, order.price, order.date, order.pass]);
const reportText = (report: Report): string =>
  JSON.stringify(['report', report.book, report.asOf, report.value, report.drawdown, report.trades]);

/** The keys by version, as the desk itself put them into the service. */
export type KeyRing = ReadonlyMap<string, string>;

export const orderVerifies = (order: SignedOrder, keys: KeyRing): boolean =>
  verifies(orderText(order), order, keys);
export const reportVerifies = (report: SignedReport, keys: KeyRing): boolean =>
  verifies(reportText(report), report, keys);

function verifies(text: string, signed: { signature: string; keyVersion: string }, keys: KeyRing): boolean {
  const key = keys.get(signed.keyVersion);
  if (key === undefined) return false;
  const expected = hmac(Buffer.from(key), text);
  const received = Buffer.from(signed.signature, 'hex');
  return received.length === expected.length && timingSafeEqual(received, expected);
}
