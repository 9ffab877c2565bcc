import { randomBytes } from 'node:crypto';
import type { SignedReport } from './agents/finance-agent.ts';
import type { SignedOrder } from './agents/orders.ts';
import { type CanaryHit, encodingsOf, findCanaries, searchFinds } from './canary.ts';
import type { RunRecord } from './record.ts';
import { type KeyRing, orderVerifies, reportVerifies } from './signatures.ts';

export interface SignatureCheck {
  /** Orders and reports that verify, by the version of the key. */
  readonly byVersion: ReadonlyMap<string, number>;
  readonly orders: number;
  readonly reports: number;
  readonly wrong: number;
}

/** Verifies every signature with the key the desk itself wrote to the service. */
export function checkSignatures(
  orders: readonly SignedOrder[],
  reports: readonly SignedReport[],
  keys: KeyRing,
): SignatureCheck {
  const byVersion = new Map<string, number>();
  let wrong = 0;
  const note = (keyVersion: string, verifies: boolean): void => {
    if (verifies) byVersion.set(keyVersion, (byVersion.get(keyVersion) ?? 0) + 1);
    else wrong += 1;
  };
  for (const order of orders) note(order.keyVersion, orderVerifies(order, keys));
  for (const report of reports) note(report.keyVersion, reportVerifies(report, keys));
  return { byVersion, orders: orders.length, reports: reports.length, wrong };
}

export interface SecrecyCheck {
  readonly hits: readonly CanaryHit[];
  /** Records searched, by kind. */
  readonly searched: ReadonlyMap<string, number>;
  readonly megabytes: number;
  readonly encodings: number;
  /** Whether the same search finds a value that was planted. */
  readonly trustworthy: boolean;
}

/** Searches everything that was recorded for every version of the key. */
export function checkSecrecy(record: RunRecord, keys: KeyRing): SecrecyCheck {
  const canaries = [...keys].map(([versionId, value]) => ({ name: versionId, value }));
  const control = randomBytes(32).toString('base64url');
  return {
    hits: findCanaries(record.entries, canaries),
    searched: record.counts(),
    megabytes: record.entries.reduce((sum, { text }) => sum + text.length, 0) / 1e6,
    encodings: encodingsOf(control).size,
    trustworthy: searchFinds(control),
  };
}
