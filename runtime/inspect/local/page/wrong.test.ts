import { expect, test } from 'vitest';
import type { Instance, Pool, Secret, Status } from './told.ts';
import { wrongNow } from './wrong.ts';

const instance = (address: string, more: Partial<Instance> = {}): Instance => ({
  address,
  threadId: 'p',
  incarnation: 1,
  restarts: 0,
  state: 'running',
  handled: 7,
  mailbox: 0,
  capacity: 10,
  ...more,
});
const pool = (more: Partial<Pool> = {}): Pool => ({
  threadId: 'p',
  maxThreads: 1,
  threads: [{ name: 'holdfast:p:1', n: 1, state: 'ready', instances: 3 }],
  peakThreads: 1,
  waiting: 0,
  health: 'open',
  ...more,
});
const secret = (state: string, more: Partial<Secret> = {}): Secret => ({
  provider: 'aws',
  id: 'openai',
  stage: 'AWSCURRENT',
  state,
  holders: 2,
  hits: 0,
  misses: 0,
  ...more,
});
const status = (more: Partial<Status> = {}): Status => ({
  version: '0',
  state: 'running',
  uptimeMs: 1,
  pools: [pool()],
  counts: { total: 2, handled: 0, turns: {}, wrongLeft: 0 },
  instances: [instance('a/1'), instance('a/2', { state: 'moving', mailbox: 9 })],
  secrets: [secret('fresh'), secret('fetching'), secret('cold')],
  secretProviders: [{ alias: 'aws', breaker: 'closed' }],
  deadLetters: 3,
  restarts: 5,
  ...more,
});
const found = (more: Partial<Status>): unknown[] =>
  wrongNow(status(more)).map(({ kind, level, name, id, why, advice, since }) => ({
    is: `${level} ${kind} ${name}`,
    id,
    since,
    says: `${why} | ${advice}`,
  }));

const error = { name: 'TypeError', message: 'no total' };
const evidence = { error, failures: [{ address: 'a/1', at: 900 }], restarts: 5, withinMs: 30_000 };

test('nothing is said when nothing is wrong', () => {
  expect(wrongNow(status())).toEqual([]);
});

test('what is wrong is told the worst first, and of one kind what began last', () => {
  const all = wrongNow(
    status({
      instances: [
        instance('a/full', { mailbox: 10 }),
        instance('a/again', { state: 'restarting', failure: { cause: 'error', at: 1, error } }),
        instance('a/old', { state: 'quarantined', quarantine: evidence }),
        instance('a/new', {
          state: 'quarantined',
          quarantine: { ...evidence, failures: [{ address: 'a/new', at: 901 }] },
        }),
        instance('a/back', { failure: { cause: 'exit', at: 2 } }),
      ],
      pools: [
        pool({
          waiting: 2,
          threads: [
            { name: 'holdfast:p:1', n: 1, state: 'stuck', instances: 0 },
            { name: 'holdfast:p:2', n: 2, state: 'ready', instances: 1, slow: { ms: 7400, address: 'a/1' } },
          ],
        }),
        pool({ threadId: 'q', health: 'exhausted' }),
      ],
      secrets: [
        secret('stale', { failure: 'transient', role: 'reader' }),
        secret('failed', { failure: 'denied' }),
      ],
      secretProviders: [{ alias: 'aws', breaker: 'open', failure: 'throttled' }],
      store: { state: 'failing', waiting: 1, error: { code: 'STORE_FAILED', message: 'disk full' } },
      mcpServers: [{ agent: 'a', server: 'files', state: 'failed' }],
    }),
  );
  expect(all.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'quarantined a/new',
    'quarantined a/old',
    'store store',
    'hung holdfast:p:2',
    'stuck holdfast:p:1',
    'exhausted q',
    'refused aws: openai',
    'breaker aws',
    'restarting a/again',
    'restarted a/back',
    'full a/full',
    'stale aws: openai',
    'waiting p',
    'tools a: files',
  ]);
  expect(new Set(all.map(({ key }) => key)).size).toBe(all.length);
  for (const { why, advice } of all) expect([why, advice]).not.toContain('');
});

test('a quarantine is told with its error, how often, the incarnation, what waits, and how to go on', () => {
  const coded = { name: 'RangeError', code: 'E_RANGE', message: 'too much' };
  const quarantine = { ...evidence, error: coded, deadLetter: 'x' };
  expect(
    found({
      instances: [instance('a/1', { state: 'quarantined', incarnation: 6, mailbox: 17, quarantine })],
    }),
  ).toEqual([
    {
      is: 'bad quarantined a/1',
      id: 'a/1',
      since: 900,
      says:
        'E_RANGE: too much · 5 restarts in 30 s · incarnation 6 · 17 events wait | Mend the cause, then resume() it ' +
        '(holdfast agents resume a/1), or stop() it. The event in hand is a dead letter.',
    },
  ]);
});

test.each<[string, Partial<Instance>, string]>([
  [
    'its group',
    { state: 'quarantined', quarantine: { ...evidence, because: 'a/2' } },
    'a/2 of its group failed too often',
  ],
  ['a process before', { state: 'quarantined' }, 'it failed too often'],
  ['no error', { state: 'restarting', failure: { cause: 'exit', at: 5 } }, 'it ended: exit'],
  ['nothing yet', { state: 'restarting' }, 'it ended'],
])('one that failed by %s says so', (_, more, why) => {
  const [wrong] = wrongNow(status({ instances: [instance('a/1', more)] }));
  expect(wrong?.why.split(' · ')[0]).toBe(why);
});

test('a hung thread is told with whose turn it is, and a pool with what waits for it', () => {
  const threads = [{ name: 'holdfast:p:1', n: 1, state: 'ready', instances: 200, slow: { ms: 7400 } }];
  const [hung, waiting] = wrongNow(status({ pools: [pool({ threads, waiting: 1 })] }));
  expect(hung).toMatchObject({ id: 'supervisor/pool:p/thread:1' });
  expect(hung?.why).toBe('something outside of a turn has kept it for 7 s · 200 instances are on it');
  expect(waiting?.why).toBe('1 instance waits for a thread: all 1 are taken');
});

test('what a secret needs is said by what its provider answered', () => {
  const advice = (failure?: string): string | undefined =>
    wrongNow(status({ secrets: [secret('failed', failure === undefined ? {} : { failure })] }))[0]?.advice;
  expect(advice('denied')).toContain('role');
  expect(advice('not-found')).toContain('Create openai');
  expect(advice('transient')).toContain('by itself');
  expect(advice()).toContain('holdfast doctor');
});
