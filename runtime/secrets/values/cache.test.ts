import { SimulatedClock } from 'xstate';
import { afterEach, describe, expect, test } from 'vitest';
import type { SecretAnswer, SecretEntrySpec, SecretNews } from '../../../actors/secret-entry.ts';
import { createMemoryProvider, type MemoryProvider } from '../../../providers/memory.ts';
import { ProviderError, type RotationHint, type SecretProvider } from '../../../providers/provider.ts';
import { createSecretsCache, type CachedRef, type SecretsCache, type SecretsCacheOptions } from './cache.ts';

let open: SecretsCache[] = [];
afterEach(async () => {
  await Promise.all(open.map((cache) => cache.stop()));
  open = [];
});

/** Lets all that needs no time happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(
  options: Partial<SecretsCacheOptions> & {
    ttlMs?: number;
    provider?: MemoryProvider;
    wrap?: (p: SecretProvider) => SecretProvider;
  } = {},
) {
  const { ttlMs = 300_000, provider = createMemoryProvider(), wrap = (p) => p, ...others } = options;
  const clock = new SimulatedClock();
  const warnings: string[] = [];
  const cache = createSecretsCache({
    providers: [{ alias: 'default', provider: 'memory', cacheTtlMs: ttlMs, options: {} }],
    customProviders: [wrap(provider)],
    clock,
    random: () => 1,
    onWarning: (message) => warnings.push(message),
    ...others,
  });
  open.push(cache);
  const news: (SecretNews & { id: string })[] = [];
  cache.onNews((each, { id }) => news.push({ id, ...each }));
  const entry = (id = 'k', more: Partial<CachedRef> = {}) =>
    cache.entry({ provider: 'default', id, ...more });
  const need = (one: SecretEntrySpec = entry()): Promise<SecretAnswer> => cache.need(one, (answer) => answer);
  const value = async (one: SecretEntrySpec = entry()): Promise<string | undefined> => {
    const answer = await need(one);
    return answer.ok ? cache.read(one, answer.versionId)?.toString() : answer.failure;
  };
  const hold = (...ids: string[]): void =>
    cache.hold(
      'a/1',
      ids.map((id) => entry(id)),
    );
  /** Lets time pass in small steps: the clock rings all that is due at the end of a jump. */
  const pass = async (ms: number, step = 500): Promise<void> => {
    for (let left = ms; left > 0; left -= step) {
      clock.increment(Math.min(left, step));
      await settle();
    }
  };
  const state = (id = 'k') => cache.status().find((each) => each.id === id)?.state;
  const calls = (): number => cache.calls().total;
  return { cache, clock, provider, warnings, news, entry, need, value, hold, pass, state, calls };
}

const holding = async (options: Parameters<typeof setUp>[0] = {}) => {
  const all = setUp(options);
  all.provider.set('k', 'value-one', 'v1');
  all.hold('k');
  await settle();
  return all;
};

describe('serving from the cache', () => {
  test('a thousand needs at one time are one call, and what is held after that is none', async () => {
    const { provider, need, calls, cache } = setUp();
    provider.set('k', 'value', 'v1');
    const answers = await Promise.all(Array.from({ length: 1000 }, () => need()));
    expect(new Set(answers.map((answer) => answer.ok && answer.versionId))).toEqual(new Set(['v1']));
    await Promise.all(Array.from({ length: 1000 }, () => need()));
    expect([calls(), cache.status()[0]]).toMatchObject([1, { hits: 1000, misses: 1000 }]);
  });

  test('stale is served until 900 s after it was last good, then it is unavailable and overwritten', async () => {
    const { provider, pass, value, state, news, cache, entry } = await holding();
    const failing = provider.fail('transient');
    await pass(899_500);
    expect([state(), await value()]).toEqual(['stale', 'value-one']);
    await pass(500);
    expect([state(), await value()]).toEqual(['failed', 'transient']);
    expect(cache.read(entry(), 'v1')).toBeUndefined();
    failing.stop();
    await pass(128_000);
    expect([state(), await value()]).toEqual(['fresh', 'value-one']);
    expect(news.map(({ type }) => type)).toEqual(['stale', 'unavailable', 'recovered']);
    expect(failing.fired).toBeGreaterThan(5);
  });

  test('maxStaleMs of a provider is how long that is', async () => {
    const { provider, pass, value, news } = await holding({
      providers: [
        { alias: 'default', provider: 'memory', cacheTtlMs: 300_000, maxStaleMs: 400_000, options: {} },
      ],
    });
    provider.fail('throttled');
    await pass(399_500);
    expect(await value()).toBe('value-one');
    expect(news[0]).toMatchObject({ type: 'stale', graceUntil: 400_000 });
    await pass(500);
    expect(await value()).toBe('throttled');
  });

  test("one owner's broken ref is cold, and the others go on", async () => {
    const { provider, hold, pass, value, entry, cache } = setUp();
    provider.set('k', 'value-one', 'v1');
    hold('k', 'no-such-secret');
    await pass(600_000);
    expect(await value()).toBe('value-one');
    expect(await value(entry('no-such-secret'))).toBe('not-found');
    expect(cache.providers()).toEqual([{ alias: 'default', provider: 'memory', breaker: 'closed' }]);
  });

  test('beyond maxEntries the value used longest ago is overwritten, a held one last, and epochs go on', async () => {
    const { provider, cache, need, value, entry, hold, state } = setUp({ maxEntries: 2 });
    for (const id of ['k', 'l', 'm']) provider.set(id, `value of ${id}`, `${id}1`);
    hold('k');
    await settle();
    await need(entry('l'));
    await need(entry('m'));
    expect([state('k'), state('l'), state('m')]).toEqual(['fresh', 'cold', 'fresh']);
    expect(cache.read(entry('l'), 'l1')).toBeUndefined();
    provider.set('l', 'another', 'l2');
    expect(await need(entry('l'))).toEqual({ ok: true, versionId: 'l2', epoch: 2 });
    expect(await value(entry('k'))).toBe('value of k');
    expect(state('m')).toBe('cold');
  });

  test('a secret read with a role of its own is another entry', async () => {
    const { entry } = setUp();
    const keys = [entry('k'), entry('k', { role: 'arn:aws:iam::1:role/r' }), entry('k', { stage: 'x' })];
    expect(new Set(keys.map(({ key }) => key)).size).toBe(3);
  });

  test('status tells when a secret is looked at next and how long a stale one is still used', async () => {
    const { cache, provider, pass } = await holding();
    await pass(100_000);
    expect(cache.status()).toMatchObject([{ state: 'fresh', ageMs: 100_000, nextRefreshInMs: 200_000 }]);
    provider.fail('transient');
    await pass(200_000);
    expect(cache.status()).toMatchObject([{ state: 'stale', staleForMs: 600_000, nextRefreshInMs: 1_000 }]);
  });
});

describe('a provider in trouble', () => {
  test('a storm of throttling opens the breaker: held values are served, and one call at a time tries', async () => {
    const ids = Array.from({ length: 50 }, (_, at) => `s${at}`);
    const { provider, hold, pass, value, entry, calls, cache, warnings } = setUp();
    for (const id of ids) provider.set(id, `value of ${id}`);
    hold(...ids);
    await settle();
    const storm = provider.fail('throttled');
    await pass(299_500);
    const before = calls();
    await pass(500);
    // All fifty are due at once: those that were under way when the fifth failed are the last.
    expect(calls() - before).toBeLessThanOrEqual(50);
    expect(cache.providers()).toMatchObject([{ breaker: 'open', failure: 'throttled' }]);
    const opened = calls();
    await pass(29_000);
    expect(calls()).toBe(opened);
    await pass(120_000);
    // A trial each 30 s.
    expect(calls() - opened).toBeLessThanOrEqual(5);
    expect(await Promise.all(ids.map((id) => value(entry(id))))).toEqual(ids.map((id) => `value of ${id}`));
    expect(storm.fired).toBeGreaterThan(5);
    storm.stop();
    // Two back-offs at their longest: chance would spread them, and here all try at the same time.
    await pass(256_000);
    expect(cache.status().filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(warnings).toEqual([
      'The secrets provider "default" fails: Told to fail: throttled.',
      'The secrets provider "default" fails (throttled); it is not called for 30 s at a time.',
      'The secrets provider "default" answers again.',
    ]);
  });

  test('an open breaker answers what is not held at once, and is told apart from nothing being there', async () => {
    const { provider, need, entry, calls } = setUp();
    provider.set('k', 'value');
    provider.fail('transient');
    for (let at = 0; at < 5; at += 1) await need(entry(`s${at}`));
    const before = calls();
    expect(await need()).toEqual({ ok: false, failure: 'transient' });
    expect(calls()).toBe(before);
  });

  test('calls that hang open the breaker, too', async () => {
    const { provider, hold, pass, cache } = setUp();
    const hung = provider.hang();
    hold('a', 'b', 'c', 'd', 'e');
    await pass(8_000);
    expect([cache.providers()[0]?.breaker, hung.fired]).toEqual(['open', 5]);
  });

  test('what the provider says of a failure is a warning, once; that something is not there is none', async () => {
    const { provider, entry, need, warnings, cache, pass } = setUp({
      provider: createMemoryProvider({ batch: 20 }),
    });
    provider.set('k', 'value', 'v1');
    const failing = provider.fail('denied', { call: 'fetch' });
    await need();
    await need(entry('l'));
    await Promise.all(cache.prefetch(['m', 'n'].map((id) => ({ entry: entry(id), receive() {} }))));
    provider.fail(new Error('CANARY of an error that is not its own'), { call: 'fetch' });
    failing.stop();
    await need(entry('o'));
    await pass(1_000);
    expect([failing.fired, warnings]).toEqual([
      2,
      ['The secrets provider "default" fails: Told to fail: denied.'],
    ]);
  });

  test('what the provider says of one secret of a batch is a warning too', async () => {
    const { entry, warnings, cache } = setUp({
      wrap: (inner) => ({
        ...inner,
        capabilities: { versions: true, batch: 20 },
        fetchMany: async (refs) =>
          new Map(refs.map(({ id }) => [id, new ProviderError('denied', `Nobody may read ${id}.`)])),
      }),
    });
    await Promise.all(cache.prefetch(['m', 'n'].map((id) => ({ entry: entry(id), receive() {} }))));
    expect(warnings).toEqual(
      ['m', 'n'].map((id) => `The secrets provider "default" fails: Nobody may read ${id}.`),
    );
  });

  test('denials of any number do not open it', async () => {
    const { provider, need, entry, cache } = setUp();
    provider.fail('denied');
    for (let at = 0; at < 30; at += 1) await need(entry(`s${at}`));
    expect([cache.providers()[0]?.breaker, cache.calls().fetch]).toEqual(['closed', 30]);
  });
});

describe('limits', () => {
  test('a secret is refreshed once in 5 s however often that is asked for; the others hear what is known', async () => {
    const { provider, cache, calls, news, pass } = await holding();
    const before = calls();
    await Promise.all(Array.from({ length: 100 }, () => cache.refresh('default', 'k')));
    provider.set('k', 'value-two', 'v2');
    await cache.refresh('default', 'k');
    expect([calls() - before, news]).toEqual([1, []]);
    await pass(5_000);
    await cache.refresh('default', 'k');
    expect(news).toMatchObject([{ type: 'rotated', versionId: 'v2', cause: 'manual' }]);
  });

  test('a refresh that comes while one is running ends with it, and one of what failed fails', async () => {
    const { provider, cache } = await holding();
    const failing = provider.fail('transient', { times: 1 });
    const both = await Promise.allSettled([cache.refresh('default', 'k'), cache.refresh('default', 'k')]);
    expect(both).toMatchObject([
      { reason: { code: 'SECRET_UNAVAILABLE' } },
      { reason: { code: 'SECRET_UNAVAILABLE' } },
    ]);
    await expect(cache.refresh('default', 'k')).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    expect(failing.fired).toBe(1);
  });

  test('the secrets of a provider are refreshed 10 times a second', async () => {
    const ids = Array.from({ length: 30 }, (_, at) => `s${at}`);
    const { provider, hold, cache, calls, pass } = setUp();
    for (const id of ids) provider.set(id, 'value');
    hold(...ids);
    await settle();
    const before = calls();
    await Promise.all(ids.map((id) => cache.refresh('default', id)));
    expect(calls() - before).toBe(10);
    await pass(1_000);
    await Promise.all(ids.map((id) => cache.refresh('default', id)));
    expect(calls() - before).toBe(20);
  });

  test.each([
    ['good', undefined, 1],
    ['denied', 'denied', 3],
    ['away', 'transient', 7],
  ] as const)(
    'an instance that restarts a thousand times in a minute while its secret is %s causes no storm',
    async (_, failure, most) => {
      const { provider, cache, entry, clock, calls, need } = setUp();
      provider.set('k', 'value', 'v1');
      const failing = failure && provider.fail(failure);
      for (let restart = 0; restart < 1_000; restart += 1) {
        cache.hold('a/1', [entry()]);
        await need();
        if (restart % 2 === 0) cache.release('a/1');
        clock.increment(60);
        if (restart % 10 === 0) await settle();
      }
      expect(calls()).toBeGreaterThan(0);
      expect(calls()).toBeLessThanOrEqual(most);
      expect(failing?.fired ?? calls()).toBe(calls());
    },
  );

  test('an entry that breaks again and again calls its provider with a back-off', async () => {
    const { provider, cache, entry, pass, calls, hold } = setUp();
    provider.set('k', 'value', 'v1');
    let broken = 0;
    const faulty = {
      get type(): 'secret.need' {
        broken += 1;
        throw new Error('told to break');
      },
    };
    hold('k');
    await settle();
    const child = () => cache.actor.getSnapshot().context.entries[entry().key];
    for (let at = 0; at < 120; at += 1) {
      child()?.send(faulty);
      await pass(500);
    }
    expect(broken).toBeGreaterThan(50);
    expect(calls()).toBeLessThanOrEqual(8);
  });
});

describe('hints of a provider', () => {
  const pushing = async (id = 'k') => {
    const hints: ((hint: RotationHint) => void)[] = [];
    const provider = createMemoryProvider();
    const all = setUp({
      provider,
      wrap: (inner) => ({
        ...inner,
        capabilities: { versions: true, push: true },
        watch: (emit, signal) => {
          hints.push(emit);
          return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        },
      }),
    });
    provider.set(id, 'value-one', 'v1');
    all.hold(id);
    await settle();
    const hint = async (versionId?: string, more: Partial<RotationHint> = {}): Promise<void> => {
      const stage = 'AWSCURRENT';
      hints.at(-1)?.({ id, stage, ...(versionId !== undefined && { versionId }), source: 'test', ...more });
      await settle();
    };
    return { ...all, hint };
  };

  test('leads to the version it names, which is read by its id without a look', async () => {
    const { provider, hint, news, calls } = await pushing();
    provider.set('k', 'value-two', 'v2');
    const before = calls();
    await hint('v2');
    expect(news).toMatchObject([{ type: 'rotated', epoch: 2, versionId: 'v2', cause: 'push' }]);
    expect(provider.log.slice(before)).toEqual(['fetch k']);
  });

  test('that comes again, or names what is current, causes no call', async () => {
    const { provider, hint, calls, pass } = await pushing();
    provider.set('k', 'value-two', 'v2');
    await hint('v2');
    const before = calls();
    for (let at = 0; at < 20; at += 1) {
      await hint('v2');
      await pass(1_000);
    }
    expect(calls()).toBe(before);
  });

  test('that comes late moves nothing back, and is looked at again when it comes after a rotation', async () => {
    const { provider, hint, value, news, pass } = await pushing();
    provider.set('k', 'value-two', 'v2');
    provider.set('k', 'value-three', 'v3');
    await hint('v3');
    await pass(5_000);
    await hint('v2');
    expect([await value(), news.map(({ epoch }) => epoch)]).toEqual(['value-three', [2]]);
    await pass(5_000);
    provider.set('k', 'value-two', 'v2');
    await hint('v2');
    expect(news.at(-1)).toMatchObject({ type: 'rotated', epoch: 3, versionId: 'v2', cause: 'push' });
    await pass(5_000);
    provider.set('k', 'value-three', 'v3');
    await hint('v3');
    expect(news.at(-1)).toMatchObject({ epoch: 4, versionId: 'v3', cause: 'rollback' });
  });

  test('that is lost is made up for by the next poll', async () => {
    const { provider, news, pass } = await pushing();
    provider.set('k', 'value-two', 'v2');
    await pass(300_000);
    expect(news).toMatchObject([{ type: 'rotated', versionId: 'v2', cause: 'poll' }]);
  });

  test('that comes before the refresh limit allows a look is remembered, the last one alone', async () => {
    const { provider, hint, news, pass, cache } = await pushing();
    await cache.refresh('default', 'k');
    provider.set('k', 'value-two', 'v2');
    await hint('v2');
    provider.set('k', 'value-three', 'v3');
    await hint('v3');
    expect(news).toEqual([]);
    await pass(5_000);
    expect(news).toMatchObject([{ versionId: 'v3', cause: 'push' }]);
  });

  test('that comes while a fetch is running which read the older version is looked at after it', async () => {
    const { provider, hint, news, pass } = await pushing();
    const slow = provider.hang({ ignoreAbort: true, times: 1 });
    await pass(300_000);
    expect(slow.fired).toBe(1);
    provider.set('k', 'value-two', 'v2');
    await hint('v2');
    slow.release();
    await settle();
    expect(news.map(({ epoch, versionId }) => [epoch, versionId])).toEqual([[2, 'v2']]);
  });

  test('that names the version there is, while a fetch is running that may bring another one, is looked at after it', async () => {
    const { provider, hint, news, pass, value } = await pushing();
    provider.set('k', 'value-two', 'v2');
    const slow = provider.hang({ call: 'fetch', ignoreAbort: true, times: 1 });
    await pass(300_000);
    expect(slow.fired).toBe(1);
    provider.set('k', 'value-one', 'v1');
    await hint('v1');
    slow.release();
    await settle();
    expect(news.map(({ epoch, versionId }) => [epoch, versionId])).toEqual([
      [2, 'v2'],
      [3, 'v1'],
    ]);
    expect(await value()).toBe('value-one');
  });

  test('for another secret or another stage is ignored, and one by another name of the secret is heard', async () => {
    const { provider, hint, news, calls } = await pushing();
    provider.set('k', 'value-two', 'v2');
    const before = calls();
    await hint('v2', { id: 'not-ours' });
    await hint('v2', { stage: 'AWSPENDING' });
    expect(calls()).toBe(before);
    await hint('v2', { id: 'arn:k', aliases: ['k'] });
    expect(news).toHaveLength(1);
  });

  test('ends the time for which a failure is remembered', async () => {
    const { provider, hint, value, pass } = await pushing();
    const denied = provider.fail('denied', { times: 2 });
    await pass(300_000);
    expect([await value(), denied.fired]).toEqual(['denied', 2]);
    await hint('v1');
    expect(await value()).toBe('value-one');
  });

  test('a watch that ends or fails is started again with a back-off, and is warned about once', async () => {
    let started = 0;
    const { hold, pass, warnings, cache } = setUp({
      wrap: (inner) => ({
        ...inner,
        capabilities: { versions: true, push: true },
        watch: () => {
          started += 1;
          return Promise.reject(new ProviderError('denied', 'The queue may not be read: allow it.'));
        },
      }),
    });
    hold('k');
    await pass(60_000);
    // At 0, 1, 3, 7, 15 and 31 s.
    expect(started).toBe(6);
    expect(warnings).toEqual([expect.stringContaining('The queue may not be read: allow it.')]);
    await cache.stop();
    await pass(300_000);
    expect(started).toBe(6);
  });
});

describe('a version that a service refuses', () => {
  const never = new AbortController().signal;

  test('is answered at once with the current one when it is not that any more', async () => {
    const { provider, cache, entry, calls, pass } = await holding();
    provider.set('k', 'value-two', 'v2');
    await cache.refresh('default', 'k');
    await pass(1_000);
    const before = calls();
    expect(await cache.rejected(entry(), 'v1', never)).toEqual({ ok: true, versionId: 'v2', epoch: 2 });
    expect(calls()).toBe(before);
  });

  test('is the new one as soon as that is there, with the cause told', async () => {
    const { provider, cache, entry, news } = await holding();
    provider.set('k', 'value-two', 'v2');
    expect(await cache.rejected(entry(), 'v1', never)).toMatchObject({ ok: true, versionId: 'v2' });
    expect(news).toMatchObject([{ type: 'rotated', cause: 'auth-failure' }]);
  });

  test('while the service knows a password that is not current yet is looked for after 1, 2, 4 and then each 5 s, by all together', async () => {
    const { provider, cache, entry, pass, clock, calls } = await holding();
    const from = clock.now();
    const before = calls();
    const looks: number[] = [];
    const claims = Promise.all(Array.from({ length: 100 }, () => cache.rejected(entry(), 'v1', never)));
    for (let at = 0; at < 26; at += 1) {
      const counted = calls();
      if (at > 0) await pass(1_000);
      else await settle();
      if (calls() > counted || at === 0) looks.push((clock.now() - from) / 1000);
    }
    expect([looks, calls() - before]).toEqual([[0, 1, 3, 7, 12, 17, 22], 7]);
    provider.set('k', 'value-two', 'v2');
    await pass(2_000);
    expect(new Set((await claims).map((answer) => answer.ok && answer.versionId))).toEqual(new Set(['v2']));
  });

  test('is given up after 60 s, and a claim that is made again costs no call', async () => {
    const { cache, entry, pass, calls, value } = await holding();
    const claim = cache.rejected(entry(), 'v1', never);
    await pass(60_000);
    expect(await claim).toEqual({ ok: false, failure: 'rejected' });
    const after = calls();
    for (let at = 0; at < 1_000; at += 1) await cache.rejected(entry(), 'v1', never);
    expect(calls()).toBe(after);
    // To others it is as good as before.
    expect(await value()).toBe('value-one');
  });

  test('with one user is never answered with the version before', async () => {
    const { provider, cache, entry, pass, value } = await holding();
    provider.set('k', 'value-two', 'v2');
    await cache.refresh('default', 'k');
    const claim = cache.rejected(entry(), 'v2', never);
    await pass(60_000);
    expect([await claim, provider.log.length]).toMatchObject([{ ok: false }, expect.any(Number)]);
    expect(await value()).toBe('value-two');
  });

  test('with alternating users is answered with the version before, which costs one call, and the current one stays', async () => {
    const { provider, cache, entry, news, value, calls } = await holding();
    const spec = entry('k', { rotation: 'alternating-users' });
    provider.set('k', 'value-two', 'v2');
    await cache.refresh('default', 'k');
    const answer = await cache.rejected(spec, 'v2', never);
    expect(answer).toEqual({ ok: true, versionId: 'v1', epoch: 2 });
    expect(cache.read(spec, 'v1')?.toString()).toBe('value-one');
    const after = calls();
    expect(await cache.rejected(spec, 'v2', never)).toEqual(answer);
    expect(await cache.rejected(spec, 'v1', never)).toEqual({ ok: true, versionId: 'v2', epoch: 2 });
    expect([calls(), await value(), news.length]).toEqual([after, 'value-two', 1]);
  });

  test('is not waited for by one who gives up, while the others go on waiting', async () => {
    const { provider, cache, entry, pass } = await holding();
    const giving = new AbortController();
    const given = cache.rejected(entry(), 'v1', giving.signal);
    const other = cache.rejected(entry(), 'v1', never);
    giving.abort(new Error('no longer wanted'));
    await expect(given).rejects.toThrow('no longer wanted');
    provider.set('k', 'value-two', 'v2');
    await pass(1_000);
    expect(await other).toMatchObject({ ok: true, versionId: 'v2' });
  });

  test('and denied by the provider is told at once', async () => {
    const { provider, cache, entry } = await holding();
    provider.fail('denied');
    expect(await cache.rejected(entry(), 'v1', never)).toEqual({ ok: false, failure: 'denied' });
  });

  test('ends with the runtime', async () => {
    const { cache, entry } = await holding();
    const claim = cache.rejected(entry(), 'v1', never);
    await settle();
    await Promise.all([expect(claim).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' }), cache.stop()]);
  });
});

test('grants that open in one tick share calls, and a look at one of them is its own', async () => {
  const { provider, hold, calls, state, cache } = setUp({ provider: createMemoryProvider({ batch: 20 }) });
  for (const id of ['k', 'l', 'm']) provider.set(id, 'value');
  hold('k', 'l', 'm');
  await settle();
  expect([provider.log, calls(), state('m')]).toEqual([['fetchMany k l m'], 1, 'fresh']);
  await cache.refresh('default', 'k');
  expect(provider.log.slice(1)).toEqual(['describe k']);
});

describe('prefetch', () => {
  const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `s${at}`);
  const wanted = (entries: readonly SecretEntrySpec[], answers: SecretAnswer[] = []) =>
    entries.map((entry) => ({ entry, receive: (answer: SecretAnswer) => void answers.push(answer) }));

  test('of 245 secrets is ten batches at once and three more, 34 ms apart, and no single call', async () => {
    const { provider, cache, entry, clock, pass, state } = setUp({
      provider: createMemoryProvider({ batch: 20 }),
    });
    for (const id of names(245)) provider.set(id, `value of ${id}`);
    const fetched = cache.prefetch(wanted(names(245).map((id) => entry(id))));
    const sizes: number[] = [];
    for (const next of [0, 33, 1, 33, 1, 34]) {
      clock.increment(next);
      await settle();
      sizes.push(provider.log.length);
    }
    expect(sizes).toEqual([10, 10, 11, 11, 12, 13]);
    await Promise.all(fetched);
    await pass(1);
    expect(cache.calls()).toEqual({ describe: 0, fetch: 0, fetchMany: 13, total: 13 });
    expect(names(245).every((id) => state(id) === 'fresh')).toBe(true);
  });

  test('gives each its own outcome, and what a batch does not bring is an answer too', async () => {
    const { provider, cache, entry, value } = setUp({ provider: createMemoryProvider({ batch: 20 }) });
    provider.set('k', 'value');
    const answers: SecretAnswer[] = [];
    await Promise.all(cache.prefetch(wanted([entry('k'), entry('nothing')], answers)));
    expect(answers).toEqual([
      { ok: true, versionId: expect.any(String), epoch: 1 },
      { ok: false, failure: 'not-found' },
    ]);
    expect([await value(), cache.calls().total]).toEqual(['value', 1]);
    expect(provider.handedOut.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
  });

  test.each([
    ['denied', 2, true],
    ['throttled', 0, false],
  ] as const)('where a batch as a whole is %s makes %d single calls', async (failure, singles, comes) => {
    const { provider, cache, entry } = setUp({ provider: createMemoryProvider({ batch: 20 }) });
    for (const id of ['k', 'l']) provider.set(id, 'value');
    const refused = provider.fail(failure, { call: 'fetchMany' });
    const answers: SecretAnswer[] = [];
    await Promise.all(cache.prefetch(wanted([entry('k'), entry('l')], answers)));
    expect([cache.calls().fetch, refused.fired, answers.every(({ ok }) => ok)]).toEqual([singles, 1, comes]);
  });

  test('where there are no batches is eight calls at a time', async () => {
    const { provider, cache, entry } = setUp();
    for (const id of names(20)) provider.set(id, 'value');
    const slow = provider.hang();
    const fetched = cache.prefetch(wanted(names(20).map((id) => entry(id))));
    await settle();
    expect(cache.calls().fetch).toBe(8);
    slow.release();
    await Promise.all(fetched);
    expect(cache.calls().fetch).toBe(20);
  });

  test('leaves a fifth of the cache free, but for what is required', async () => {
    const { provider, cache, entry } = setUp({ maxEntries: 10 });
    for (const id of names(12)) provider.set(id, 'value');
    const all = wanted(names(12).map((id) => entry(id)));
    await Promise.all(
      cache.prefetch(all.map((one, at) => (at === 11 ? Object.assign(one, { required: true }) : one))),
    );
    expect(cache.status().map(({ id }) => id)).toEqual([...names(8), 's11']);
  });

  test('does not fetch what cannot be kept', async () => {
    const { provider, cache, entry } = setUp({ ttlMs: 0 });
    provider.set('k', 'value');
    await Promise.all(cache.prefetch(wanted([entry('k')])));
    expect(cache.calls().total).toBe(0);
  });

  test('of two refs of one id in different stages or roles goes into different calls', async () => {
    const { provider, cache, entry } = setUp({ provider: createMemoryProvider({ batch: 20 }) });
    for (const id of ['k', 'l', 'm']) provider.set(id, 'value');
    const all = [entry('k'), entry('l'), entry('k', { role: 'r' }), entry('m', { role: 'r' })];
    await Promise.all(cache.prefetch(wanted(all)).slice(0, 2));
    expect(provider.log[0]).toBe('fetchMany k l m');
  });

  test('an instance that comes while a batch is under way waits for it', async () => {
    const { provider, cache, entry, value } = setUp({ provider: createMemoryProvider({ batch: 20 }) });
    for (const id of ['k', 'l']) provider.set(id, 'value');
    const slow = provider.hang();
    const fetched = cache.prefetch(wanted([entry('k'), entry('l')]));
    await settle();
    const waiting = value();
    slow.release();
    expect([await waiting, await Promise.all(fetched)]).toMatchObject(['value', {}]);
    expect(cache.calls()).toMatchObject({ fetch: 0, fetchMany: 1 });
  });
});
