import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createActor, fromPromise, setup, SimulatedClock, type ActorRefFrom } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { describe, expect, test } from 'vitest';
import {
  answerOf,
  deniedHoldMs,
  fetchDeadlineMs,
  notFoundHoldMs,
  secretEntryMachine,
  type SecretAnswer,
  type SecretEntryEvent,
  type SecretEntryFetched,
  type SecretFetchInput,
  type SecretFetchOutcome,
} from './secret-entry.ts';

const ttlMs = 300_000;
const spec = { key: 'default:k@AWSCURRENT', provider: 'default', id: 'k', stage: 'AWSCURRENT', ttlMs };

/** Lets the promises of a fetch that was settled reach the machine. */
const flush = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
};

/** The machine below a parent, with fetches that end when told to and a record of all it does. */
function run(input: Partial<typeof spec> = {}) {
  const clock = new SimulatedClock();
  const fetches: {
    input: SecretFetchInput;
    signal: AbortSignal;
    settle(outcome: SecretFetchOutcome): void;
    reject(): void;
  }[] = [];
  const done: (SecretAnswer | 'evict')[] = [];
  const fetched: SecretEntryFetched[] = [];
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
      evict: () => void done.push('evict'),
    },
  });
  const parent = setup({ types: { events: {} as SecretEntryFetched }, actors: { entry } }).createMachine({
    invoke: { src: 'entry', id: 'entry', input: { ...spec, ...input } },
    on: { 'entry.fetched': { actions: ({ event }) => void fetched.push(event) } },
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
  const ok = (versionId: string) => settle({ ok: true, versionId, fetchedAt: clock.now() });
  const fail = (failure: 'denied' | 'not-found' | 'deleted' | 'transient') => settle({ ok: false, failure });
  const send = (...types: SecretEntryEvent['type'][]): void => types.forEach((type) => actor.send({ type }));
  return { actor, clock, fetches, done, fetched, state, settle, ok, fail, send };
}

describe('a secret entry', () => {
  test('does nothing until it is needed or granted', () => {
    const { clock, fetches, state } = run();
    clock.increment(10 * ttlMs);
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

  test('with a grant it refreshes at the TTL and answers meanwhile from what it has', async () => {
    const { send, ok, done, clock, fetches, state } = run();
    send('grant.opened');
    await ok('v1');
    clock.increment(ttlMs);
    expect([state(), fetches.length]).toEqual(['refreshing', 2]);
    done.length = 0;
    send('secret.need');
    expect(done).toEqual([{ ok: true, versionId: 'v1', epoch: 1 }]);
    await ok('v1');
    expect(state()).toBe('fresh');
    clock.increment(ttlMs);
    expect(fetches).toHaveLength(3);
  });

  test('without a grant it is stale and evicted at the TTL, and fetched at the next need', async () => {
    const { send, ok, done, clock, fetches, state } = run();
    send('secret.need');
    await ok('v1');
    clock.increment(ttlMs);
    expect([state(), done.at(-1), fetches.length]).toEqual(['stale', 'evict', 1]);
    send('secret.need');
    expect([state(), fetches.length]).toEqual(['fetching', 2]);
  });

  test.each(['cold', 'stale', 'failed'])('a grant makes it fetch when it is %s', async (from) => {
    const { send, ok, fail, clock, fetches, state } = run();
    if (from !== 'cold') send('secret.need');
    if (from === 'stale') await ok('v1');
    if (from === 'failed') await fail('transient');
    if (from === 'stale') clock.increment(ttlMs);
    expect(state()).toBe(from);
    const before = fetches.length;
    send('grant.opened');
    expect([state(), fetches.length]).toEqual(['fetching', before + 1]);
  });

  test('a failed fetch evicts before it answers, and the next need asks again', async () => {
    const { send, ok, fail, done, clock, fetches, state } = run();
    send('grant.opened');
    await ok('v1');
    clock.increment(ttlMs);
    await fail('transient');
    expect([state(), done.slice(1)]).toEqual(['failed', ['evict', { ok: false, failure: 'transient' }]]);
    send('secret.need');
    expect([state(), fetches.length]).toEqual(['fetching', 3]);
    await ok('v1');
    expect(done.at(-1)).toEqual({ ok: true, versionId: 'v1', epoch: 1 });
  });

  test('a granted secret that failed is tried again at the TTL', async () => {
    const { send, fail, clock, fetches } = run();
    send('grant.opened');
    await fail('transient');
    clock.increment(ttlMs);
    expect(fetches).toHaveLength(2);
  });

  test.each([
    ['denied', deniedHoldMs],
    ['not-found', notFoundHoldMs],
    ['deleted', notFoundHoldMs],
  ] as const)('%s is the answer for %d ms without another fetch', async (failure, holdMs) => {
    const { send, fail, done, clock, fetches, state } = run();
    send('secret.need');
    await fail(failure);
    clock.increment(holdMs - 1);
    send('secret.need', 'grant.opened');
    expect([state(), fetches.length, done.at(-1)]).toEqual(['refused', 1, { ok: false, failure }]);
    clock.increment(1);
    expect(state()).toBe('failed');
  });

  test('a fetch that does not end is given up at the deadline and told so', async () => {
    const { send, done, clock, fetches, state, ok } = run();
    send('secret.need');
    clock.increment(fetchDeadlineMs - 1);
    expect([state(), done]).toEqual(['fetching', []]);
    clock.increment(1);
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

  test('a refresh makes those who come after it wait for what it brings', async () => {
    const { send, ok, done, state } = run();
    send('secret.need');
    await ok('v1');
    send('secret.refresh', 'secret.need');
    expect([state(), done.length]).toEqual(['fetching', 1]);
    await ok('v2');
    expect(done.slice(1)).toEqual([{ ok: true, versionId: 'v2', epoch: 2 }]);
  });

  test('any number of refreshes during a fetch are one more fetch, whatever the first one came to', async () => {
    for (const first of ['ok', 'fail', 'reject', 'deadline'] as const) {
      const { send, ok, fail, done, clock, fetches, state } = run();
      send('secret.need', 'secret.refresh', 'secret.refresh', 'secret.refresh');
      if (first === 'ok') await ok('v1');
      if (first === 'fail') await fail('denied');
      if (first === 'deadline') clock.increment(fetchDeadlineMs);
      if (first === 'reject') fetches[0]?.reject();
      await flush();
      expect([state(), fetches.length, done]).toEqual(['fetching', 2, []]);
      await ok('v2');
      expect([state(), fetches.length, done]).toEqual([
        'fresh',
        2,
        [{ ok: true, versionId: 'v2', epoch: 1 }],
      ]);
    }
  });

  test('each change of version is a higher epoch; back to a version that was there is a rollback', async () => {
    const { send, ok, fetched, clock } = run();
    send('grant.opened');
    await ok('a');
    clock.increment(ttlMs);
    await ok('b');
    send('secret.refresh');
    await ok('c');
    send('secret.refresh');
    await ok('a');
    clock.increment(ttlMs);
    await ok('a');
    expect(
      fetched.map((event) => [event.epoch, event.versionId, event.previousVersionId, event.change]),
    ).toEqual([
      [1, 'a', undefined, undefined],
      [2, 'b', 'a', 'poll'],
      [3, 'c', 'b', 'manual'],
      [4, 'a', 'c', 'rollback'],
      [4, 'a', 'c', undefined],
    ]);
  });

  test('a version that changed while nothing was held is noticed too', async () => {
    const { send, ok, fail, fetched } = run();
    send('secret.need');
    await ok('a');
    send('secret.refresh');
    await fail('transient');
    send('secret.need');
    await ok('b');
    expect(fetched.at(-1)).toMatchObject({ epoch: 2, change: 'poll' });
  });

  test('with a TTL of 0 it answers, evicts and never fetches by itself', async () => {
    const { send, ok, done, clock, fetches, state } = run({ ttlMs: 0 });
    send('grant.opened');
    clock.increment(1_000_000);
    expect(fetches).toHaveLength(0);
    send('secret.need', 'secret.need');
    await ok('v1');
    clock.increment(1_000_000);
    expect([state(), done, fetches.length]).toEqual([
      'cold',
      [{ ok: true, versionId: 'v1', epoch: 1 }, 'evict'],
      1,
    ]);
  });

  test('the last of several grants that closes ends the polling', async () => {
    const { send, ok, clock, fetches, state } = run();
    send('grant.opened', 'grant.opened');
    await ok('v1');
    send('grant.closed');
    clock.increment(ttlMs);
    await ok('v1');
    send('grant.closed', 'grant.closed');
    clock.increment(ttlMs);
    expect([state(), fetches.length]).toEqual(['stale', 2]);
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
    { type: 'xstate.after.ttl.secret.fresh' },
    { type: 'xstate.after.hold.secret.refused' },
  ] as unknown as SecretEntryEvent[];
  const alone = secretEntryMachine.provide({ actions: { announce: () => {} } });
  const paths = getShortestPaths(alone, {
    input: spec,
    events,
    filterEvents: (state) => state.context.holders < 2 && state.context.epoch < 2,
    serializeState: ({ value, context }) =>
      JSON.stringify([value, context.holders, context.epoch, context.again]),
  });
  const reached = new Set(paths.map(({ state }) => JSON.stringify(state.value)));
  expect([...reached].sort()).toEqual([
    '"cold"',
    '"failed"',
    '"fresh"',
    '"refused"',
    '"stale"',
    '{"calling":"fetching"}',
    '{"calling":"refreshing"}',
  ]);
});

type Step =
  | { do: SecretEntryEvent['type'] }
  | { do: 'pass'; ms: number }
  | { do: 'settle'; outcome: 'a' | 'b' | 'c' | 'transient' | 'denied' | 'not-found' };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom<SecretEntryEvent['type'][]>(
      'secret.need',
      'secret.refresh',
      'grant.opened',
      'grant.closed',
    ),
  }),
  fc.record({
    do: fc.constant('pass' as const),
    ms: fc.constantFrom(1, 7_999, 8_000, 10_000, 30_000, 299_999, 300_000),
  }),
  fc.record({
    do: fc.constant('settle' as const),
    outcome: fc.constantFrom(
      'a' as const,
      'b' as const,
      'c' as const,
      'transient' as const,
      'denied' as const,
      'not-found' as const,
    ),
  }),
);

/** How late a timer may be in the property below. */
const jumpMs = 1000;

test('whatever happens in whatever order, one fetch runs at most, nobody waits for ever and nothing old or evicted is served', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.constantFrom(0, ttlMs), async (steps, ttl) => {
      const { actor, clock, fetches, done, fetched, send, settle, state } = run({ ttlMs: ttl });
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
          assert.ok(age <= ttl + fetchDeadlineMs + jumpMs, 'answered with what is too old');
        }
        read = done.length;
        const running = fetches.filter(({ signal }, at) => !signal.aborted && !ended.has(at)).length;
        assert.equal(running, ['fetching', 'refreshing'].includes(state()) ? 1 : 0, 'fetches running');
        assert.ok(!waiting || state() === 'fetching', 'somebody waits and nothing runs');
        assert.ok(context.epoch >= epoch, 'the epoch went back');
        assert.ok(
          held === undefined || ['fetching', 'refreshing', 'fresh'].includes(state()),
          'kept too long',
        );
        epoch = context.epoch;
      };
      const ended = new Set<number>();
      for (const next of steps) {
        if (next.do === 'pass') {
          // The clock rings all that is due at the end of a jump: what is due early in a long one would be late by most of it.
          for (let left = next.ms; left > 0; left -= jumpMs) clock.increment(Math.min(left, jumpMs));
          await flush();
        } else if (next.do === 'settle') {
          const at = fetches.length - 1;
          if (at < 0 || ended.has(at)) continue;
          const good = next.outcome.length === 1;
          if (good && fetches[at]?.signal.aborted === false) held = next.outcome;
          ended.add(at);
          await settle(
            good
              ? { ok: true, versionId: next.outcome, fetchedAt: clock.now() }
              : { ok: false, failure: next.outcome as 'denied' },
          );
        } else {
          if (next.do === 'secret.need') waiting = true;
          send(next.do);
        }
        check();
      }
      const changes = fetched.filter(({ change }) => change !== undefined);
      for (const change of changes) assert.notEqual(change.versionId, change.previousVersionId);
      clock.increment(2 * fetchDeadlineMs);
      clock.increment(2 * fetchDeadlineMs);
      await flush();
      for (const entry of done.slice(read)) if (entry !== 'evict') waiting = false;
      assert.equal(waiting, false, 'somebody waits for ever');
    }),
    { numRuns: 300 },
  );
});
