import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createActor, fromPromise, setup, SimulatedClock, type ActorRefFrom } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { describe, expect, test } from 'vitest';
import {
  answerOf,
  backOffAfterMs,
  deniedHoldMs,
  fetchDeadlineMs,
  notFoundHoldMs,
  pollAfterMs,
  refreshedOf,
  secretEntryMachine,
  usableUntil,
  type SecretAnswer,
  type SecretEntryContext,
  type SecretEntryEvent,
  type SecretEntryInput,
  type SecretEntryNews,
  type SecretFetchInput,
  type SecretFetchOutcome,
  type SecretNews,
} from './secret-entry.ts';

const ttlMs = 300_000;
const maxStaleMs = 900_000;
const spec = {
  key: 'default:k@AWSCURRENT',
  provider: 'default',
  id: 'k',
  stage: 'AWSCURRENT',
  ttlMs,
  maxStaleMs,
};
type Failure = Extract<SecretFetchOutcome, { ok: false }>['failure'];

/** Lets the promises of a fetch that was settled reach the machine. */
const flush = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
};

/** The machine below a parent, with fetches that end when told to and a record of all it does. */
function run(input: Partial<SecretEntryInput> = {}) {
  const clock = new SimulatedClock();
  const fetches: {
    input: SecretFetchInput;
    signal: AbortSignal;
    settle(outcome: SecretFetchOutcome): void;
    reject(): void;
  }[] = [];
  const done: (SecretAnswer | 'evict')[] = [];
  const refreshed: SecretAnswer[] = [];
  const news: SecretNews[] = [];
  const entry = secretEntryMachine.provide({
    actors: {
      fetch: fromPromise<SecretFetchOutcome, SecretFetchInput>(({ input, signal }) => {
        const { promise, resolve, reject } = Promise.withResolvers<SecretFetchOutcome>();
        fetches.push({ input, signal, settle: resolve, reject: () => reject(new Error('broken effect')) });
        return promise;
      }),
    },
    actions: {
      answer: ({ context }) => void done.push(answerOf(context)),
      settle: ({ context }) => void refreshed.push(refreshedOf(context)),
      evict: () => void done.push('evict'),
    },
    delays: { unusable: ({ context }) => Math.max(0, usableUntil(context) - clock.now()) },
  });
  const parent = setup({ types: { events: {} as SecretEntryNews }, actors: { entry } }).createMachine({
    invoke: { src: 'entry', id: 'entry', input: { ...spec, ...input } },
    on: { 'entry.news': { actions: ({ event }) => void news.push(...event.news) } },
  });
  const root = createActor(parent, { clock }).start();
  const actor = root.getSnapshot().children['entry'] as ActorRefFrom<typeof secretEntryMachine>;
  const state = (): string => {
    const { value } = actor.getSnapshot();
    return typeof value === 'string' ? value : value.calling;
  };
  const settle = async (outcome: SecretFetchOutcome): Promise<void> => {
    fetches.at(-1)?.settle(outcome);
    await flush();
  };
  const ok = (versionId: string, leaseMs?: number) =>
    settle({ ok: true, versionId, fetchedAt: clock.now(), ...(leaseMs !== undefined && { leaseMs }) });
  const fail = (failure: Failure) => settle({ ok: false, failure });
  type Plain = Exclude<SecretEntryEvent['type'], 'secret.seen'>;
  const send = (...types: Plain[]): void => types.forEach((type) => actor.send({ type }));
  /** The state of an instance knows that version. */
  const seen = (versionId: string, epoch: number): void =>
    actor.send({ type: 'secret.seen', versionId, epoch });
  /** The clock rings all that is due at the end of a jump: what is due early in a long one would be late by most of it. */
  const pass = async (ms: number, step = 500): Promise<void> => {
    for (let left = ms; left > 0; left -= step) clock.increment(Math.min(left, step));
    await flush();
  };
  return { actor, clock, fetches, done, refreshed, news, state, settle, ok, fail, send, seen, pass };
}

describe('a secret entry', () => {
  test('does nothing until it is needed or granted', async () => {
    const { pass, fetches, state } = run();
    await pass(10 * ttlMs, ttlMs);
    expect([state(), fetches.length]).toEqual(['cold', 0]);
  });

  test('answers all who need it while one fetch runs when that fetch ends', async () => {
    const { send, ok, done, fetches, state } = run();
    send('secret.need', 'secret.need', 'secret.need');
    expect([state(), fetches.length, done]).toEqual(['fetching', 1, []]);
    await ok('v1');
    expect([state(), done]).toEqual(['fresh', [{ ok: true, versionId: 'v1', epoch: 1 }]]);
  });

  test('asks with the version it knows, so that a look may be enough', async () => {
    const { send, ok, fetches } = run();
    send('secret.need');
    expect(fetches[0]?.input).toEqual(spec);
    await ok('v1');
    send('secret.refresh');
    expect(fetches[1]?.input).toEqual({ ...spec, knownVersionId: 'v1' });
  });

  test('with a grant it refreshes in the background and answers meanwhile from what it has', async () => {
    const { send, ok, done, pass, fetches, state } = run();
    send('grant.opened');
    await ok('v1');
    await pass(ttlMs);
    expect([state(), fetches.length]).toEqual(['refreshing', 2]);
    done.length = 0;
    send('secret.need');
    expect(done).toEqual([{ ok: true, versionId: 'v1', epoch: 1 }]);
    await ok('v1');
    expect(state()).toBe('fresh');
    await pass(ttlMs);
    expect(fetches).toHaveLength(3);
  });

  test('without a grant it refreshes when it was used since the last time, else it is dropped', async () => {
    const { send, ok, done, pass, fetches, state } = run();
    send('secret.need');
    await ok('v1');
    await pass(ttlMs);
    expect([state(), fetches.length]).toEqual(['refreshing', 2]);
    await ok('v1');
    await pass(ttlMs);
    expect([state(), done.at(-1), fetches.length]).toEqual(['cold', 'evict', 2]);
    send('secret.need');
    expect([state(), fetches.length]).toEqual(['fetching', 3]);
  });

  test('a value is renewed while a fifth of its lease is left, and not used beyond the lease', async () => {
    const { send, ok, fail, done, pass, state } = run();
    send('grant.opened');
    await ok('v1', 100_000);
    await pass(80_000);
    expect(state()).toBe('refreshing');
    await fail('transient');
    await pass(19_500);
    expect(done).not.toContain('evict');
    await pass(500);
    expect(done).toContain('evict');
  });

  test('a failure that may pass leaves what is held, until it is stale for too long', async () => {
    const { send, ok, fail, done, news, pass, state, fetches, actor } = run();
    send('grant.opened');
    await ok('v1');
    await pass(ttlMs);
    await fail('throttled');
    expect([state(), news]).toEqual([
      'stale',
      [{ type: 'stale', epoch: 1, versionId: 'v1', cause: 'poll', graceUntil: maxStaleMs }],
    ]);
    for (let at = ttlMs; at < maxStaleMs - 500; at += 500) {
      await pass(500);
      if (state() === 'refreshing') await fail('transient');
    }
    done.length = 0;
    send('secret.need');
    expect(done).toEqual([{ ok: true, versionId: 'v1', epoch: 1 }]);
    const before = fetches.length;
    await pass(500);
    send('secret.need');
    expect(done.slice(1)).toEqual(['evict', { ok: false, failure: 'transient' }]);
    expect([state(), actor.getSnapshot().context.held, fetches.length]).toEqual(['failed', false, before]);
    expect(news.slice(1)).toEqual([{ type: 'unavailable', epoch: 1, versionId: 'v1', cause: 'poll' }]);
  });

  test('what is stale is tried again with a back-off of 1 s that doubles up to 128 s, and recovers', async () => {
    const { send, ok, fail, news, clock, pass, state } = run({ maxStaleMs: 3_600_000 });
    send('grant.opened');
    await ok('v1');
    await pass(ttlMs);
    const waits: number[] = [];
    for (let tries = 0; tries < 10; tries += 1) {
      await fail('transient');
      const from = clock.now();
      while (state() === 'stale' && clock.now() - from < 200_000) await pass(500);
      waits.push((clock.now() - from) / 1000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 128, 128]);
    await ok('v1');
    expect(state()).toBe('fresh');
    expect(news.map(({ type }) => type)).toEqual(['stale', 'recovered']);
  });

  test('nobody who needs it during a back-off causes a call', async () => {
    const { send, fail, done, pass, fetches, state } = run();
    send('secret.need');
    for (let tries = 0; tries < 4; tries += 1) {
      await fail('transient');
      while (state() === 'failed') await pass(500);
      send('secret.need');
    }
    await fail('transient');
    const before = fetches.length;
    done.length = 0;
    send(...Array.from({ length: 1000 }, () => 'secret.need' as const));
    expect(fetches).toHaveLength(before);
    expect(done.map((answer) => answer !== 'evict' && !answer.ok && answer.failure)).toEqual(
      Array(1000).fill('transient'),
    );
  });

  test.each(['denied', 'not-found', 'deleted', 'undecryptable', 'invalid'] as const)(
    '%s evicts before anybody is answered, also what is stale, and is never served again',
    async (failure) => {
      for (const before of ['fresh', 'stale'] as const) {
        const { send, ok, fail, done, news, pass, state } = run();
        send('grant.opened');
        await ok('v1');
        await pass(ttlMs);
        if (before === 'stale') {
          await fail('transient');
          await pass(1_000);
        }
        done.length = 0;
        await fail(failure);
        expect([state(), done]).toEqual(['failed', ['evict', { ok: false, failure }]]);
        send('secret.need');
        expect(done.at(-1)).toEqual({ ok: false, failure });
        expect(news.at(-1)).toEqual({ type: 'revoked', epoch: 1, versionId: 'v1', cause: 'poll' });
        for (let passed = 0; passed < 2 * ttlMs; passed += 500) {
          await pass(500);
          if (state() === 'fetching') await fail('transient');
          send('secret.need');
          const last = done.at(-1);
          assert.ok(last === 'evict' || last?.ok === false, 'served after a refusal');
        }
        expect(news.filter(({ type }) => type === 'revoked' || type === 'unavailable')).toHaveLength(1);
      }
    },
  );

  test('expired credentials of the host say nothing of the secret: what is held is used for its time, and nothing is revoked', async () => {
    const { send, ok, fail, done, news, pass, state } = run();
    send('grant.opened');
    await ok('v1');
    await pass(ttlMs);
    done.length = 0;
    await fail('expired-credentials');
    expect([state(), done]).toEqual(['stale', []]);
    expect(news.at(-1)?.type).toBe('stale');
    send('secret.need');
    expect(done.at(-1)).toMatchObject({ ok: true, versionId: 'v1' });
    await pass(1_000);
    await ok('v1');
    expect([state(), news.at(-1)?.type]).toEqual(['fresh', 'recovered']);
  });

  test('expired credentials that stay so end the use after maxStaleMs, which is no revocation', async () => {
    const { send, ok, fail, news, pass, state } = run();
    send('grant.opened');
    await ok('v1');
    await pass(ttlMs);
    for (let passed = 0; passed < 1_000_000 && state() !== 'failed'; passed += 500) {
      if (state() === 'refreshing' || state() === 'fetching') await fail('expired-credentials');
      await pass(500);
    }
    expect([state(), news.map(({ type }) => type)]).toEqual(['failed', ['stale', 'unavailable']]);
  });

  test('the first version of a secret that could not be had is told as a recovery', async () => {
    const { send, ok, fail, news, pass } = run();
    send('grant.opened');
    await fail('transient');
    await pass(1_000);
    await ok('v1');
    expect(news).toEqual([
      { type: 'unavailable', epoch: 0, cause: 'poll' },
      { type: 'recovered', epoch: 1, versionId: 'v1', cause: 'poll' },
    ]);
  });

  test.each([
    ['denied', deniedHoldMs],
    ['undecryptable', deniedHoldMs],
    ['not-found', notFoundHoldMs],
    ['deleted', notFoundHoldMs],
    ['invalid', notFoundHoldMs],
  ] as const)('%s is the answer for %d ms without another fetch', async (failure, holdMs) => {
    const { send, fail, done, pass, fetches, state } = run();
    send('secret.need');
    await fail(failure);
    await pass(holdMs - 500);
    send('secret.need', 'grant.opened');
    expect([state(), fetches.length, done.at(-1)]).toEqual(['failed', 1, { ok: false, failure }]);
    await pass(500);
    expect(state()).toBe('cold');
    send('secret.need');
    expect(fetches).toHaveLength(2);
  });

  test('a fetch that does not end is given up at the deadline and told so', async () => {
    const { send, done, pass, fetches, state, ok } = run();
    send('secret.need');
    await pass(fetchDeadlineMs - 1);
    expect([state(), done]).toEqual(['fetching', []]);
    await pass(1);
    expect([state(), done.at(-1)]).toEqual(['failed', { ok: false, failure: 'transient' }]);
    expect(fetches[0]?.signal.aborted).toBe(true);
    await ok('late');
    expect(state()).toBe('failed');
  });

  test('an effect that breaks its word and rejects is a failure like any other', async () => {
    const { send, done, fetches, state } = run();
    send('secret.need');
    fetches[0]?.reject();
    await flush();
    expect([state(), done.at(-1)]).toEqual(['failed', { ok: false, failure: 'transient' }]);
  });

  test('a refresh holds up nobody who needs the value; those who asked for it hear when it is done', async () => {
    const { send, ok, done, refreshed, state } = run();
    send('secret.need');
    await ok('v1');
    refreshed.length = 0;
    send('secret.refresh', 'secret.need');
    expect([state(), done.length, refreshed]).toEqual(['refreshing', 2, []]);
    await ok('v2');
    expect(refreshed).toEqual([{ ok: true, versionId: 'v2', epoch: 2 }]);
  });

  test('a refresh that fails for a time is told so, and the value goes on being used', async () => {
    const { send, ok, fail, done, refreshed } = run();
    send('secret.need');
    await ok('v1');
    send('secret.refresh');
    await fail('transient');
    send('secret.need');
    expect(refreshed.at(-1)).toEqual({ ok: false, failure: 'transient' });
    expect(done.at(-1)).toEqual({ ok: true, versionId: 'v1', epoch: 1 });
  });

  test('any number of refreshes during a fetch are one more fetch, whatever the first one came to', async () => {
    for (const first of ['ok', 'fail', 'reject', 'deadline'] as const) {
      const { send, ok, fail, refreshed, pass, fetches, state } = run();
      send('secret.need', 'secret.refresh', 'secret.refresh', 'secret.refresh');
      if (first === 'ok') await ok('v1');
      if (first === 'fail') await fail('denied');
      if (first === 'deadline') await pass(fetchDeadlineMs);
      if (first === 'reject') fetches[0]?.reject();
      await flush();
      expect([state(), fetches.length, refreshed]).toEqual([
        first === 'ok' ? 'refreshing' : 'fetching',
        2,
        [],
      ]);
      await ok('v2');
      expect([state(), fetches.length, refreshed.length]).toEqual(['fresh', 2, 1]);
    }
  });

  test('a hint makes it ask for the version that the hint names, once', async () => {
    const { actor, send, ok, fetches } = run();
    send('secret.need');
    actor.send({ type: 'secret.refresh', cause: 'push', versionId: 'v2' });
    await ok('v1');
    expect(fetches[1]?.input).toMatchObject({ knownVersionId: 'v1', hintedVersionId: 'v2' });
    await ok('v2');
    send('secret.refresh');
    expect(fetches[2]?.input).toEqual({ ...spec, knownVersionId: 'v2' });
  });

  test('each change of version is a higher epoch with its cause; back to one that was there is a rollback', async () => {
    const { actor, send, ok, news, pass } = run();
    send('grant.opened');
    await ok('a');
    await pass(ttlMs);
    await ok('b');
    send('secret.refresh');
    await ok('c');
    actor.send({ type: 'secret.refresh', cause: 'push', versionId: 'd' });
    await ok('d');
    actor.send({ type: 'secret.refresh', cause: 'auth-failure' });
    await ok('e');
    send('secret.refresh');
    await ok('a');
    await pass(ttlMs);
    await ok('a');
    expect(
      news.map((event) => [event.type, event.epoch, event.versionId, event.previousVersionId, event.cause]),
    ).toEqual([
      ['rotated', 2, 'b', 'a', 'poll'],
      ['rotated', 3, 'c', 'b', 'manual'],
      ['rotated', 4, 'd', 'c', 'push'],
      ['rotated', 5, 'e', 'd', 'auth-failure'],
      ['rotated', 6, 'a', 'e', 'rollback'],
    ]);
    expect(actor.getSnapshot().context.lastCause).toBe('rollback');
  });

  test('a version that changed while nothing was held is told with the recovery', async () => {
    const { send, ok, fail, news, pass } = run();
    send('grant.opened');
    await ok('a');
    send('secret.refresh');
    await fail('denied');
    await pass(deniedHoldMs);
    send('secret.need');
    await ok('b');
    expect(news.map(({ type, epoch }) => [type, epoch])).toEqual([
      ['revoked', 1],
      ['rotated', 2],
      ['recovered', 2],
    ]);
  });

  test('with a TTL of 0 it answers, evicts and never fetches by itself', async () => {
    const { send, ok, done, pass, fetches, state } = run({ ttlMs: 0 });
    send('grant.opened');
    await pass(1_000_000, 100_000);
    expect(fetches).toHaveLength(0);
    send('secret.need', 'secret.need');
    await ok('v1');
    await pass(1_000_000, 100_000);
    expect([state(), done, fetches.length]).toEqual([
      'cold',
      [{ ok: true, versionId: 'v1', epoch: 1 }, 'evict'],
      1,
    ]);
  });

  test('the last of several grants that closes ends the polling', async () => {
    const { send, ok, pass, fetches, state } = run();
    send('grant.opened', 'grant.opened');
    await ok('v1');
    send('grant.closed');
    await pass(ttlMs);
    await ok('v1');
    send('grant.closed', 'grant.closed');
    await pass(ttlMs);
    expect([state(), fetches.length]).toEqual(['cold', 2]);
  });

  test('a value that had to make room is fetched at the next need, and its epoch goes on', async () => {
    const { send, ok, done, fetches, state } = run();
    send('secret.need');
    await ok('v1');
    send('value.dropped');
    expect(state()).toBe('cold');
    send('secret.need');
    expect([done.length, fetches.length]).toEqual([1, 2]);
    await ok('v2');
    expect(done.at(-1)).toEqual({ ok: true, versionId: 'v2', epoch: 2 });
  });

  test('one that is made anew after it broke waits out a back-off before it calls', async () => {
    const known = {
      epoch: 3,
      versionId: 'v3',
      past: undefined,
      seen: ['v3'],
      lastCause: undefined,
      standing: 'good',
    } as const;
    const { send, pass, fetches, state, done } = run({ holders: 1, known: { ...known, attempts: 1 } });
    expect(state()).toBe('failed');
    send('secret.need', 'grant.opened');
    expect([fetches.length, done.at(-1)]).toEqual([0, { ok: false, failure: 'transient' }]);
    await pass(2_000);
    expect(fetches).toHaveLength(1);
  });
});

describe('what states know from before', () => {
  test.each([
    ['the same version', [['v1', 5]], 'v1', 5],
    ['another version', [['v1', 5]], 'v2', 6],
    [
      'the highest of several',
      [
        ['v1', 5],
        ['v2', 9],
        ['v1', 6],
      ],
      'v2',
      9,
    ],
    [
      'two versions by one epoch',
      [
        ['v1', 5],
        ['v2', 5],
      ],
      'v1',
      6,
    ],
  ] as const)('epochs go on from %s, and nothing is fetched yet', async (_what, states, versionId, epoch) => {
    const { actor, send, seen, ok, news } = run();
    for (const [version, known] of states) seen(version, known);
    expect(actor.getSnapshot().context).toMatchObject({ epoch: 0, versionId: undefined });
    send('grant.opened');
    await ok(versionId);
    expect([actor.getSnapshot().context.epoch, news]).toEqual([epoch, []]);
  });

  test('a state that comes later raises the epoch: above its own when its version is another', async () => {
    const { actor, send, seen, ok } = run();
    const epoch = (): number => actor.getSnapshot().context.epoch;
    send('grant.opened');
    await ok('v2');
    seen('v2', 4);
    expect(epoch()).toBe(4);
    seen('v3', 7);
    expect(epoch()).toBe(8);
    seen('v1', 2);
    expect(epoch()).toBe(8);
  });

  test('a version from before that comes again is a rollback', async () => {
    const { send, seen, ok, news } = run();
    seen('v1', 5);
    send('grant.opened');
    await ok('v2');
    send('secret.refresh');
    await ok('v1');
    expect(news).toMatchObject([{ type: 'rotated', epoch: 7, cause: 'rollback' }]);
  });

  test('trouble at the first fetch has no lower epoch, and what was missed is told when it is over', async () => {
    const { send, seen, fail, ok, news, pass } = run();
    seen('v1', 5);
    send('grant.opened');
    await fail('transient');
    await pass(2_000);
    await ok('v2');
    expect(news).toMatchObject([
      { type: 'unavailable', epoch: 5 },
      { type: 'rotated', epoch: 6, versionId: 'v2' },
      { type: 'recovered', epoch: 6, versionId: 'v2' },
    ]);
  });
});

describe('times', () => {
  const context = (extra: Partial<SecretEntryContext>): SecretEntryContext =>
    ({ ...spec, fetchedAt: 0, leaseMs: undefined, attempts: 1, ...extra }) as SecretEntryContext;

  test('a poll is never before 80 % of the time to live and never after it', () => {
    expect([pollAfterMs(context({}), 0.8), pollAfterMs(context({}), 1)]).toEqual([240_000, 300_000]);
    expect(pollAfterMs(context({ leaseMs: 100_000 }), 1)).toBe(80_000);
  });

  test('a back-off is 1 s at first, doubles and stops at 128 s', () => {
    const waits = [1, 2, 3, 8, 9, 1000].map((attempts) => backOffAfterMs(context({ attempts }), 1));
    expect(waits).toEqual([1_000, 2_000, 4_000, 128_000, 128_000, 128_000]);
    expect(backOffAfterMs(context({}), 0.5)).toBe(500);
    const own = [1, 5, 6, 1000].map((attempts) =>
      backOffAfterMs(context({ attempts, failure: 'expired-credentials' }), 1),
    );
    expect(own).toEqual([1_000, 16_000, 30_000, 30_000]);
  });

  test('a value is usable for the longer of its time to live and the staleness allowed, and never beyond a lease', () => {
    expect(usableUntil(context({}))).toBe(900_000);
    expect(usableUntil(context({ maxStaleMs: 0 }))).toBe(308_000);
    expect(usableUntil(context({ ttlMs: 3_600_000 }))).toBe(3_608_000);
    expect(usableUntil(context({ leaseMs: 60_000 }))).toBe(60_000);
  });
});

test('every state of the chart can be reached by events alone', () => {
  const events = [
    { type: 'secret.need' },
    { type: 'secret.refresh' },
    { type: 'grant.opened' },
    { type: 'xstate.done.actor.fetch', output: { ok: true, versionId: 'v1', fetchedAt: 0 } },
    { type: 'xstate.done.actor.fetch', output: { ok: false, failure: 'denied' } },
    { type: 'xstate.done.actor.fetch', output: { ok: false, failure: 'transient' } },
    { type: 'xstate.after.poll.secret.fresh' },
    { type: 'xstate.after.hold.secret.failed' },
  ] as unknown as SecretEntryEvent[];
  const alone = secretEntryMachine.provide({ actions: { announce: () => {} } });
  const paths = getShortestPaths(alone, {
    input: spec,
    events,
    filterEvents: (state) =>
      state.context.holders < 2 && state.context.epoch < 2 && state.context.attempts < 2,
    serializeState: ({ value, context }) =>
      JSON.stringify([value, context.holders, context.epoch, context.attempts, context.next, context.held]),
  });
  const reached = new Set(paths.map(({ state }) => JSON.stringify(state.value)));
  expect([...reached].sort()).toEqual([
    '"cold"',
    '"failed"',
    '"fresh"',
    '"stale"',
    '{"calling":"fetching"}',
    '{"calling":"refreshing"}',
  ]);
});

type Step =
  | { do: 'secret.need' | 'secret.refresh' | 'grant.opened' | 'grant.closed' | 'value.dropped' }
  | { do: 'pass'; ms: number }
  | { do: 'settle'; outcome: 'a' | 'b' | 'c' | Failure };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom(
      'secret.need' as const,
      'secret.refresh' as const,
      'grant.opened' as const,
      'grant.closed' as const,
      'value.dropped' as const,
    ),
  }),
  fc.record({
    do: fc.constant('pass' as const),
    ms: fc.constantFrom(1, 7_999, 8_000, 10_000, 30_000, 299_999, 300_000, 900_000),
  }),
  fc.record({
    do: fc.constant('settle' as const),
    outcome: fc.constantFrom<('a' | 'b' | 'c' | Failure)[]>(
      'a',
      'b',
      'c',
      'transient',
      'throttled',
      'denied',
      'not-found',
      'expired-credentials',
    ),
  }),
);

/** How late a timer may be in the property below. */
const jumpMs = 1000;

test('whatever happens in whatever order, one fetch runs at most, nobody waits for ever and nothing old or evicted is served', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.constantFrom(0, ttlMs), async (steps, ttl) => {
      const { actor, clock, fetches, done, news, send, settle, state, pass } = run({ ttlMs: ttl });
      let read = 0;
      let held: string | undefined;
      let waiting = false;
      let epoch = 0;
      const check = (): void => {
        const { context } = actor.getSnapshot();
        // The vault of this model: holds what the last fetch brought until the machine evicts it.
        for (const entry of done.slice(read)) {
          if (entry === 'evict') {
            held = undefined;
            continue;
          }
          waiting = false;
          assert.ok(!entry.ok || entry.versionId === held, 'answered with what is not held');
          const age = clock.now() - (context.fetchedAt ?? clock.now());
          assert.ok(!entry.ok || age <= maxStaleMs + jumpMs, 'answered with what is too old');
        }
        read = done.length;
        const running = fetches.filter(({ signal }, at) => !signal.aborted && !ended.has(at)).length;
        assert.equal(running, ['fetching', 'refreshing'].includes(state()) ? 1 : 0, 'fetches running');
        assert.ok(!waiting || state() === 'fetching', 'somebody waits and nothing runs');
        assert.ok(context.epoch >= epoch, 'the epoch went back');
        const holding = ['refreshing', 'fresh', 'stale'].includes(state());
        assert.equal(holding, context.held, 'held');
        assert.ok(held === undefined || holding, 'kept too long');
        epoch = context.epoch;
      };
      const ended = new Set<number>();
      for (const next of steps) {
        if (next.do === 'pass') {
          await pass(next.ms, jumpMs);
        } else if (next.do === 'settle') {
          const at = fetches.length - 1;
          if (at < 0 || ended.has(at)) continue;
          const good = next.outcome.length === 1;
          if (good && fetches[at]?.signal.aborted === false) held = next.outcome;
          ended.add(at);
          await settle(
            good
              ? { ok: true, versionId: next.outcome, fetchedAt: clock.now() }
              : { ok: false, failure: next.outcome as Failure },
          );
        } else {
          if (next.do === 'secret.need') waiting = true;
          if (next.do === 'value.dropped') held = undefined;
          send(next.do);
        }
        check();
      }
      for (const change of news.filter(({ type }) => type === 'rotated'))
        assert.notEqual(change.versionId, change.previousVersionId);
      await pass(4 * fetchDeadlineMs, jumpMs);
      for (const entry of done.slice(read)) if (entry !== 'evict') waiting = false;
      assert.equal(waiting, false, 'somebody waits for ever');
    }),
    { numRuns: 300 },
  );
});
