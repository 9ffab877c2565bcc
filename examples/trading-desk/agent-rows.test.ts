import type { InstanceStatus, PoolStatus, RuntimeStatus } from 'holdfast';
import { expect, test } from 'vitest';
import { agentRows, problemsOf } from './agent-rows.ts';
import type { SecrecyCheck, SignatureCheck } from './checks.ts';
import type { TradingDay } from './trading-day.ts';

const pool = (threadId: string, maxThreads: number, peakThreads: number): PoolStatus => ({
  threadId,
  maxThreads,
  peakThreads,
  threads: [],
  startedThreads: peakThreads,
  endedThreads: {},
  waiting: 0,
  health: 'open',
});
const instance = (agent: string, threadId: string, handled: number, restarts = 0): InstanceStatus => ({
  address: `${agent}/x`,
  agent,
  threadId,
  thread: 1,
  incarnation: restarts + 1,
  restarts,
  state: 'running',
  handled,
  mailbox: 0,
  capacity: 1000,
});

const status: RuntimeStatus = {
  version: '0',
  state: 'running',
  uptimeMs: 1,
  secrets: [],
  secretProviders: [],
  deadLetters: 0,
  restarts: 1,
  pools: [pool('trading-pool', 8, 2), pool('finance-threads', 2, 1), pool('security-threads', 4, 1)],
  instances: [
    instance('trading-agent', 'trading-pool', 100),
    instance('trading-agent', 'trading-pool', 50, 1),
    instance('finance-agent', 'finance-threads', 10),
    instance('security-agent', 'security-threads', 5),
  ],
};
const day: TradingDay = {
  orders: [],
  reports: [],
  closing: [],
  rotatedTo: 'v2',
  scan: { findings: [], scanned: 5, skipped: [], busyMs: 10 },
  rotationSeenBy: { traders: 2, books: 1 },
  busyMs: { trading: 1000, finance: 2000 },
};
const signatures: SignatureCheck = {
  byVersion: new Map([
    ['v1', 3],
    ['v2', 4],
  ]),
  orders: 6,
  reports: 1,
  wrong: 0,
};
const secrecy: SecrecyCheck = {
  hits: [],
  searched: new Map(),
  megabytes: 1,
  encodings: 5,
  trustworthy: true,
};

test('a row sums over the instances of its agent and takes the threads from its pool', () => {
  expect(agentRows(status, day)[0]).toEqual({
    agent: 'trading-agent',
    instances: 2,
    threads: 2,
    maxThreads: 8,
    events: 150,
    restarts: 1,
    busyMs: 1000,
    secrets: ['desk-key'],
    rotationSeenBy: 2,
  });
});

test('the agent without a grant uses no secret', () => {
  expect(agentRows(status, day)[2]).toMatchObject({ agent: 'security-agent', secrets: [], events: 5 });
});

const problems = (change: {
  status?: Partial<RuntimeStatus>;
  day?: Partial<TradingDay>;
  signatures?: Partial<SignatureCheck>;
  secrecy?: Partial<SecrecyCheck>;
}): string[] => {
  const changedDay = { ...day, ...change.day };
  return problemsOf(
    { ...status, ...change.status },
    changedDay,
    agentRows(status, changedDay),
    { ...signatures, ...change.signatures },
    { ...secrecy, ...change.secrecy },
  );
};

test('a day on which all went well has no problem', () => {
  expect(problems({})).toEqual([]);
});

test('a day without a rotation needs nobody to have seen one', () => {
  const quiet = { rotatedTo: undefined, rotationSeenBy: { traders: 0, books: 0 } };
  expect(problems({ day: quiet, signatures: { byVersion: new Map([['v1', 7]]) } })).toEqual([]);
});

test.each([
  [{ status: { deadLetters: 2 } }, '2 events were not handled'],
  [{ signatures: { orders: 0 } }, 'no order was signed'],
  [{ signatures: { wrong: 1 } }, '1 signatures do not verify'],
  [{ signatures: { byVersion: new Map([['v1', 7]]) } }, 'nothing was signed with the new key'],
  [{ day: { rotationSeenBy: { traders: 1, books: 1 } } }, 'instances of trading-agent'],
  [{ day: { rotationSeenBy: { traders: 2, books: 0 } } }, 'instances of finance-agent'],
  [{ day: { scan: { ...day.scan, skipped: ['a.txt'] } } }, 'a.txt'],
  [{ secrecy: { hits: [{ kind: 'event', canary: 'v1', encoding: 'hex' }] } }, 'the key was found'],
  [{ secrecy: { trustworthy: false } }, 'the search for the key does not work'],
])('%j is one problem: %s', (change, sentence) => {
  const found = problems(change);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(sentence);
});
