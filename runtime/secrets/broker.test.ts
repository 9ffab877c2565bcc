import { Ending } from '../base/ending.ts';
import { createHmac } from 'node:crypto';
import { createActor, createMachine, SimulatedClock } from 'xstate';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HoldfastError } from '../base/errors.ts';
import { createSecretsBroker, type SecretsBroker, type SecretsBrokerOptions } from './broker.ts';
import { defineCapability } from './capabilities/capability.ts';
import { createMemoryProvider, type MemoryProvider } from './fixtures/memory-provider.ts';
import type { ResolvedGrant } from '../config/resolve.ts';
import { createScrubber } from './scrub/scrubber.ts';
import type { Secret } from './capabilities/secret.ts';
import type { SecretEvent } from './secret-event.ts';

const canary = 'CANARY-4f1d9a-value';
const address = 'trading-agent/btc';
const caller = (address: string, incarnation = 1, pool = 'p') => ({ address, incarnation, pool });
const sign = defineCapability('sign', (secret, args) =>
  secret.use((key) => createHmac('sha256', key).update(String(args)).digest('hex')),
);
const version = defineCapability('version', (secret) => secret.versionId);
const signed = (key: string, args: string): string => createHmac('sha256', key).update(args).digest('hex');
const grant = (extra: Partial<ResolvedGrant> = {}): ResolvedGrant => ({
  label: 'key',
  provider: 'default',
  id: 'prod/key',
  mode: 'capability',
  capabilities: ['sign', 'version', 'custom'],
  ...extra,
});

let open: SecretsBroker[] = [];
afterEach(async () => {
  await Promise.all(open.map((broker) => broker.stop()));
  open = [];
});

function setUp(options: Partial<SecretsBrokerOptions> & { ttlMs?: number } = {}) {
  const clock = new SimulatedClock();
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const { ttlMs = 300_000, ...others } = options;
  const broker = createSecretsBroker({
    providers: [{ alias: 'default', provider: 'memory', cacheTtlMs: ttlMs, options: {} }],
    customProviders: [provider],
    capabilities: [sign, version],
    clock,
    random: () => 1,
    ...others,
  });
  open.push(broker);
  const events: SecretEvent[] = [];
  const grantAll = (to = address, grants = [grant()]): void =>
    broker.open(caller(to), grants, (event) => events.push(event));
  return { clock, provider, broker, events, grantAll };
}

const call = (broker: SecretsBroker, capability = 'sign', label = 'key', args: unknown = 'order') =>
  broker.call(caller(address), capability, label, args);
const failure = async (promise: Promise<unknown>): Promise<HoldfastError> =>
  promise.then(
    () => expect.unreachable('it should have been rejected'),
    (error: unknown) => error as HoldfastError,
  );
const settled = (broker: SecretsBroker, state: string) =>
  vi.waitFor(() => expect(broker.status()[0]?.state).toBe(state), { timeout: 60_000, interval: 1 });
const fetches = (provider: MemoryProvider): number =>
  provider.log.filter((entry) => entry.startsWith('fetch')).length;
const rotate = async (
  { broker, provider, clock }: ReturnType<typeof setUp>,
  versionId: string,
  value: string,
) => {
  provider.set('prod/key', versionId, value);
  // A secret is refreshed once in 5 s.
  clock.increment(5_000);
  await broker.refresh('default', 'prod/key');
};

describe('using a secret', () => {
  test('a capability gets the secret of the grant and the caller its result', async () => {
    const { broker, grantAll } = setUp();
    grantAll();
    expect(await call(broker)).toBe(signed(canary, 'order'));
    expect(await call(broker, 'version')).toBe('v1');
  });

  test('a thousand needs at one time are one call of the provider', async () => {
    const { broker, provider, grantAll } = setUp();
    const gate = Promise.withResolvers<void>();
    provider.behave({ until: gate.promise });
    grantAll();
    const calls = Array.from({ length: 1000 }, () => call(broker));
    gate.resolve();
    expect(new Set(await Promise.all(calls))).toEqual(new Set([signed(canary, 'order')]));
    expect(broker.calls()).toEqual({ describe: 0, fetch: 1, fetchMany: 0, total: 1 });
  });

  test('with a TTL of 0 nothing is fetched early or kept, but a fetch is still shared', async () => {
    const { broker, provider, grantAll } = setUp({ ttlMs: 0 });
    grantAll();
    expect(provider.log).toEqual([]);
    await Promise.all([call(broker), call(broker), call(broker)]);
    expect(fetches(provider)).toBe(1);
    await call(broker);
    expect(fetches(provider)).toBe(2);
    expect(broker.status()[0]).toMatchObject({ state: 'cold', versionId: 'v1' });
  });

  test('a field of a JSON value is taken out for the capability', async () => {
    const { broker, provider, grantAll } = setUp();
    provider.set('prod/key', 'v1', JSON.stringify({ user: 'u', key: canary }));
    grantAll(address, [grant({ jsonKey: 'key' })]);
    expect(await call(broker)).toBe(signed(canary, 'order'));
  });

  test.each(['plain', '{"other":1}', '[1]', 'null'])(
    'a field that %s does not have is not found',
    async (value) => {
      const { broker, provider, grantAll } = setUp();
      provider.set('prod/key', 'v1', value);
      grantAll(address, [grant({ jsonKey: 'key' })]);
      expect(await failure(call(broker))).toMatchObject({ code: 'SECRET_NOT_FOUND' });
    },
  );

  test('without a grant no provider is ever made or called', async () => {
    const { broker, provider, grantAll, clock } = setUp();
    grantAll(address, []);
    await failure(call(broker));
    clock.increment(3_600_000);
    expect(provider.log).toEqual([]);
    expect(broker.status()).toEqual([]);
  });
});

describe('time', () => {
  test.each([
    [0, 240_000],
    [0.5, 270_000],
    [1, 300_000],
  ])('a granted secret is polled when %d of the jitter puts it at %d ms, used or not', async (random, at) => {
    const { broker, provider, grantAll, clock } = setUp({ random: () => random });
    grantAll();
    await settled(broker, 'fresh');
    clock.increment(at - 1);
    expect(provider.log).toEqual(['fetch prod/key']);
    clock.increment(1);
    await settled(broker, 'fresh');
    // Unchanged: a look at the version is enough.
    expect(provider.log).toEqual(['fetch prod/key', 'describe prod/key']);
  });

  test('a secret that nobody is granted any more is dropped at its TTL and not polled', async () => {
    const { broker, provider, grantAll, clock } = setUp();
    grantAll();
    await settled(broker, 'fresh');
    broker.close(address);
    clock.increment(900_000);
    expect(broker.status()[0]).toMatchObject({ state: 'cold', holders: 0 });
    expect(provider.log).toEqual(['fetch prod/key']);
  });

  test('a TTL beyond what a timer can do does not become a busy loop', async () => {
    vi.useFakeTimers();
    try {
      const { broker, provider, grantAll } = setUp({
        ttlMs: 1e12,
        clock: { now: Date.now, setTimeout, clearTimeout },
      });
      grantAll();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(broker.status()[0]?.state).toBe('fresh');
      expect(provider.log).toEqual(['fetch prod/key']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a provider that hangs is given up at the deadline, and what comes later is not kept', async () => {
    const { broker, provider, grantAll, clock } = setUp();
    const gate = Promise.withResolvers<void>();
    provider.behave({ until: gate.promise });
    grantAll();
    const hung = failure(call(broker));
    await vi.waitFor(() => expect(provider.log).toEqual(['fetch prod/key']));
    clock.increment(8_000);
    expect(await hung).toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    gate.resolve();
    await vi.waitFor(() => {
      expect(provider.handedOut).toHaveLength(1);
      expect(provider.handedOut[0]?.every((byte) => byte === 0)).toBe(true);
    });
    expect(broker.status()[0]).toMatchObject({ state: 'failed', failure: 'transient', epoch: 0 });
  });

  test('a capability that hangs is given up after 60 s and its signal aborts', async () => {
    const seen = Promise.withResolvers<AbortSignal>();
    const hang = defineCapability('custom', (_, __, { signal }) => {
      seen.resolve(signal);
      return new Promise(() => {});
    });
    const { broker, grantAll, clock } = setUp({ capabilities: [hang] });
    grantAll();
    const hung = failure(call(broker, 'custom'));
    const signal = await seen.promise;
    clock.increment(60_000);
    expect(await hung).toMatchObject({ code: 'ASK_TIMEOUT' });
    expect(signal.aborted).toBe(true);
  });

  test.each([
    ['gives a result', () => 1],
    ['gives none', () => new Promise(() => {})],
    ['fails', () => Promise.reject(new RangeError('no'))],
  ])('a capability that ends its own instance and %s has its call end with that', async (_, outcome) => {
    const own = defineCapability('custom', () => {
      broker.suspend(address);
      return outcome();
    });
    const { broker, grantAll } = setUp({ capabilities: [own] });
    grantAll();
    expect(await failure(call(broker, 'custom'))).toMatchObject({ code: 'AGENT_STOPPED' });
  });

  test('of one instance 4,096 uses run at one time; the next are refused, and those of others are not', async () => {
    const { broker, grantAll } = setUp({
      capabilities: [defineCapability('custom', () => new Promise(() => {}))],
    });
    grantAll();
    grantAll('trading-agent/eth');
    const running = Array.from({ length: 4_096 }, () => failure(call(broker, 'custom')));
    expect(await failure(call(broker, 'custom'))).toMatchObject({ code: 'SECRET_RATE_LIMITED' });
    const ending = new Ending();
    const other = failure(broker.call(caller('trading-agent/eth'), 'custom', 'key', 0, ending));
    ending.end(new Error('it ran'));
    expect(await other).toMatchObject({ message: 'it ran' });
    broker.suspend(address);
    expect(new Set((await Promise.all(running)).map(({ code }) => code))).toEqual(new Set(['AGENT_STOPPED']));
  });

  test("a caller's abort ends its call and leaves the shared fetch to the others", async () => {
    const { broker, provider, grantAll } = setUp();
    const gate = Promise.withResolvers<void>();
    provider.behave({ until: gate.promise });
    grantAll();
    const ending = new Ending();
    const given = failure(broker.call(caller(address), 'sign', 'key', 'order', ending));
    const other = call(broker);
    ending.end(new Error('no longer wanted'));
    expect(await given).toMatchObject({ message: 'no longer wanted' });
    gate.resolve();
    expect(await other).toBe(signed(canary, 'order'));
    expect(fetches(provider)).toBe(1);
  });
});

describe('failures', () => {
  test.each([
    ['denied', 'SECRET_DENIED'],
    ['undecryptable', 'SECRET_DENIED'],
    ['not-found', 'SECRET_NOT_FOUND'],
    ['deleted', 'SECRET_NOT_FOUND'],
    ['invalid', 'SECRET_UNAVAILABLE'],
  ] as const)('%s becomes %s for the caller, at a poll too, and the value is gone', async (kind, code) => {
    const { broker, provider, grantAll, clock } = setUp();
    grantAll();
    await settled(broker, 'fresh');
    provider.behave({ failure: kind });
    clock.increment(300_000);
    await vi.waitFor(() => expect(broker.status()[0]?.failure).toBe(kind));
    expect(await failure(call(broker))).toMatchObject({ code, message: expect.stringContaining(kind) });
  });

  test.each(['transient', 'throttled', 'expired-credentials'] as const)(
    '%s leaves the value in use, and says so to the instance once; it is current again after a back-off',
    async (kind) => {
      const { broker, provider, events, grantAll, clock } = setUp();
      grantAll();
      await settled(broker, 'fresh');
      provider.behave({ failure: kind });
      clock.increment(300_000);
      await settled(broker, 'stale');
      expect(await call(broker)).toBe(signed(canary, 'order'));
      expect(broker.status()[0]).toMatchObject({
        failure: kind,
        staleForMs: 600_000,
        nextRefreshInMs: 1_000,
      });
      clock.increment(1_000);
      await vi.waitFor(() =>
        expect(broker.status()[0]).toMatchObject({ state: 'stale', nextRefreshInMs: 2_000 }),
      );
      provider.behave({});
      clock.increment(2_000);
      await settled(broker, 'fresh');
      expect(events.map(({ type, graceUntil }) => [type, graceUntil])).toEqual([
        ['secret.stale', 900_000],
        ['secret.recovered', undefined],
      ]);
    },
  );

  test('a secret that is denied after it was good is never served, neither at once nor while the provider is away', async () => {
    const { broker, provider, events, grantAll, clock } = setUp();
    grantAll();
    await settled(broker, 'fresh');
    provider.behave({ failure: 'denied' });
    clock.increment(300_000);
    await settled(broker, 'failed');
    provider.behave({ failure: 'transient' });
    for (let passed = 0; passed < 900_000; passed += 10_000) {
      expect(await failure(call(broker))).toMatchObject({
        code: expect.stringMatching(/DENIED|UNAVAILABLE/),
      });
      clock.increment(10_000);
      await Promise.resolve();
    }
    expect(events.map(({ type }) => type)).toEqual(['secret.revoked']);
    expect(fetches(provider)).toBeGreaterThan(3);
  });

  test('denied is the answer for 30 s without asking again, then the provider is asked', async () => {
    const { broker, provider, grantAll, clock } = setUp();
    provider.behave({ failure: 'denied' });
    grantAll();
    await settled(broker, 'failed');
    provider.behave({});
    clock.increment(29_999);
    await failure(call(broker));
    expect(fetches(provider)).toBe(1);
    clock.increment(1);
    expect(await call(broker)).toBe(signed(canary, 'order'));
  });

  test('a refresh ends the hold at once', async () => {
    const { broker, provider, grantAll } = setUp();
    provider.behave({ failure: 'not-found' });
    grantAll();
    await settled(broker, 'failed');
    provider.behave({});
    await broker.refresh('default', 'prod/key');
    expect(await call(broker)).toBe(signed(canary, 'order'));
  });

  test('where looking at the version is denied, the value is read instead', async () => {
    const { broker, provider, grantAll, clock } = setUp();
    grantAll();
    await settled(broker, 'fresh');
    provider.behave({ describe: 'denied' });
    clock.increment(300_000);
    await settled(broker, 'fresh');
    expect(provider.log.slice(1)).toEqual(['describe prod/key', 'fetch prod/key']);
  });

  test('a value of more than 64 KiB is refused', async () => {
    const { broker, provider, grantAll } = setUp();
    provider.set('prod/key', 'v1', 'x'.repeat(65_537));
    grantAll();
    expect(await failure(call(broker))).toMatchObject({ message: expect.stringContaining('invalid') });
  });

  test('a refresh of what nobody uses is refused and calls nobody', async () => {
    const { broker, provider } = setUp();
    expect(await failure(broker.refresh('default', 'prod/key'))).toMatchObject({ code: 'SECRET_NOT_FOUND' });
    expect(provider.log).toEqual([]);
  });
});

describe('rotation', () => {
  test('found at a poll: the instance hears it when the new version can be used already', async () => {
    const { broker, provider, clock } = setUp();
    const usedAtNotice: Promise<unknown>[] = [];
    const events: SecretEvent[] = [];
    broker.open(caller(address), [grant()], (event) => {
      events.push(event);
      usedAtNotice.push(call(broker, 'version'));
    });
    await settled(broker, 'fresh');
    provider.set('prod/key', 'v2', 'the-new-value');
    clock.increment(300_000);
    await vi.waitFor(() => expect(events).toHaveLength(1));
    expect(events[0]).toEqual({
      type: 'secret.rotated',
      v: 1,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      handle: 'secret:trading-agent/btc/key',
      label: 'key',
      epoch: 2,
      versionId: 'v2',
      previousVersionId: 'v1',
      stage: 'AWSCURRENT',
      cause: 'poll',
      at: 300_000,
    });
    expect(await Promise.all(usedAtNotice)).toEqual(['v2']);
    expect(fetches(provider)).toBe(2);
  });

  test('going back to an older version is a rollback with a higher epoch', async () => {
    const desk = setUp();
    const { broker, events, grantAll } = desk;
    grantAll();
    await settled(broker, 'fresh');
    await rotate(desk, 'v2', 'the-new-value');
    await rotate(desk, 'v1', canary);
    expect(events.map(({ epoch, versionId, cause }) => [epoch, versionId, cause])).toEqual([
      [2, 'v2', 'manual'],
      [3, 'v1', 'rollback'],
    ]);
    expect(await call(broker)).toBe(signed(canary, 'order'));
  });

  test('every granted label of every live instance hears it, and nobody else', async () => {
    const desk = setUp();
    const { broker, provider, events, grantAll } = desk;
    provider.set('other', 'o1', 'other-value');
    grantAll('a/1', [grant(), grant({ label: 'twice' })]);
    grantAll('a/2');
    grantAll('a/3', [grant({ id: 'other' })]);
    grantAll('a/4');
    await vi.waitFor(() => expect(broker.status().map((entry) => entry.state)).toEqual(['fresh', 'fresh']));
    broker.close('a/4');
    await rotate(desk, 'v2', 'the-new-value');
    expect(events.map((event) => event.handle)).toEqual([
      'secret:a/1/key',
      'secret:a/1/twice',
      'secret:a/2/key',
    ]);
    expect(new Set(events.map((event) => event.id)).size).toBe(3);
  });

  test('a refresh that comes while a fetch is running sees what was current when it was asked for', async () => {
    const { broker, provider, grantAll } = setUp();
    const gate = Promise.withResolvers<void>();
    provider.behave({ until: gate.promise });
    grantAll();
    const used = call(broker, 'version');
    provider.set('prod/key', 'v2', 'the-new-value');
    const refreshed = Promise.all(Array.from({ length: 100 }, () => broker.refresh('default', 'prod/key')));
    gate.resolve();
    await refreshed;
    expect(await used).toBe('v2');
    expect(broker.calls().total).toBe(2);
  });

  test('the host hears it once, and a listener that throws stops nobody', async () => {
    const warnings: string[] = [];
    const onRotated = vi.fn<NonNullable<SecretsBrokerOptions['onRotated']>>(() => {
      throw new Error('listener');
    });
    const desk = setUp({
      onRotated,
      onWarning: (message) => warnings.push(message),
    });
    const { broker, events, grantAll } = desk;
    broker.open(caller('a/0'), [grant()], () => {
      throw new Error('listener');
    });
    grantAll();
    await settled(broker, 'fresh');
    await rotate(desk, 'v2', 'the-new-value');
    expect(onRotated.mock.calls).toEqual([
      [expect.objectContaining({ provider: 'default', id: 'prod/key', epoch: 2, versionId: 'v2' })],
    ]);
    expect(events).toHaveLength(1);
    expect(warnings).toHaveLength(2);
  });

  test('a call that is running keeps its version; the next one gets the new', async () => {
    const gate = Promise.withResolvers<void>();
    const slow = defineCapability('custom', async (secret) => {
      const before = await secret.use((key) => createHmac('sha256', key).update('x').digest('hex'));
      await gate.promise;
      return [
        before,
        await secret.use((key) => createHmac('sha256', key).update('x').digest('hex')),
        secret.versionId,
      ];
    });
    const desk = setUp({ capabilities: [slow, sign] });
    const { broker, grantAll } = desk;
    grantAll();
    const running = call(broker, 'custom');
    await settled(broker, 'fresh');
    for (const versionId of ['v2', 'v3', 'v4']) await rotate(desk, versionId, `value-${versionId}`);
    gate.resolve();
    expect(await running).toEqual([signed(canary, 'x'), signed(canary, 'x'), 'v1']);
    expect(await call(broker)).toBe(signed('value-v4', 'order'));
  });
});

describe('grants', () => {
  test('all that is not granted is refused in the same words', async () => {
    const { broker, grantAll } = setUp();
    grantAll(address, [grant({ capabilities: ['sign', 'unregistered'] })]);
    grantAll('other/1', [grant({ label: 'theirs' })]);
    const variants: [string, string][] = [
      ['sign', 'no-such-label'],
      ['sign', 'theirs'],
      ['version', 'key'],
      ['unregistered', 'key'],
      ['no-such-capability', 'key'],
      ['sign', '__proto__'],
      ['constructor', 'key'],
    ];
    const shapes = await Promise.all(
      variants.map(async ([capability, label]) => {
        const { code, message, cause } = await failure(call(broker, capability, label));
        return {
          code,
          cause,
          message: message.replace(`"${label}"`, 'LABEL').replace(`"${capability}"`, 'CAPABILITY'),
        };
      }),
    );
    const unknown = await failure(broker.call(caller('nobody/1'), 'sign', 'x', ''));
    expect(unknown.message).toBe((await failure(call(broker, 'sign', 'x'))).message);
    for (const shape of shapes) expect(shape).toEqual(shapes[0]);
    expect(shapes[0]?.code).toBe('SECRET_NOT_GRANTED');
  });

  test('a very long name is not repeated in full', async () => {
    const { broker } = setUp();
    expect((await failure(call(broker, 'x'.repeat(1e6), 'y'.repeat(1e6)))).message.length).toBeLessThan(600);
  });

  test('the end of an instance ends its calls and its grants', async () => {
    const hang = defineCapability('custom', () => new Promise(() => {}));
    const { broker, grantAll } = setUp({ capabilities: [hang, sign] });
    grantAll();
    await settled(broker, 'fresh');
    const running = failure(call(broker, 'custom'));
    await Promise.resolve();
    broker.close(address);
    expect(await running).toMatchObject({ code: 'AGENT_STOPPED' });
    expect(await failure(call(broker))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
  });

  test('opened again for a restart, an instance holds its secrets without a gap or a new fetch', async () => {
    const { broker, provider, grantAll } = setUp();
    grantAll();
    await settled(broker, 'fresh');
    grantAll();
    expect(broker.status()[0]).toMatchObject({ state: 'fresh', holders: 1 });
    grantAll(address, []);
    expect(broker.status()[0]?.holders).toBe(0);
    expect(fetches(provider)).toBe(1);
  });

  test('an undeclared provider is a config error that names the ones there are', () => {
    const { grantAll } = setUp();
    expect(() => grantAll(address, [grant({ provider: 'vault' })])).toThrow(/"vault".*one of: default/);
  });

  test.each([
    [
      { providers: [{ alias: 'default', provider: 'awss', cacheTtlMs: 1, options: {} }] },
      /"awss".*aws-secrets-manager, env/,
    ],
    [
      { providers: [{ alias: 'a', provider: 'env', cacheTtlMs: 1, options: { x: 1 } }] },
      /"a" \(env\)[^]*"x" is not an option/,
    ],
    [{ capabilities: [sign, sign] }, /Two capabilities are named "sign"/],
    [{ capabilities: [defineCapability('sign.jwt', () => 0)] }, /"sign.jwt" is built in. Rename yours/],
  ])('what cannot work is refused at the start (%#)', (options, message) => {
    expect(() => setUp(options)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });
});

describe('keeping the value in', () => {
  const leaks: [string, (key: Buffer) => unknown][] = [
    ['text', (key) => `Bearer ${key.toString()}`],
    [
      'base64',
      (key) => ({ header: { authorization: Buffer.from(`user:${key.toString()}`).toString('base64') } }),
    ],
    ['base64url', (key) => [key.toString('base64url')]],
    ['hex', (key) => new Map([['k', key.toString('hex').toUpperCase()]])],
    ['bytes', (key) => ({ deep: [new Set([Uint8Array.from(key)])] })],
    ['a key of an object', (key) => ({ [key.toString()]: 1 })],
    ['an error as a result', (key) => new Error('x', { cause: { text: key.toString() } })],
  ];
  const withScrubbers: [string, () => SecretsBrokerOptions['scrubber']][] = [
    ['no scrubber', () => undefined],
    ['a scrubber', () => createScrubber({ now: () => 0 })],
    ['a scrubber that has forgotten it', () => ({ ...createScrubber({ now: () => 0 }), learn() {} })],
  ];
  const cases = leaks.flatMap(([what, make]) =>
    withScrubbers.map(([which, scrubber]) => [what, which, make, scrubber] as const),
  );
  test.each(cases)(
    'a result that carries it as %s is kept back, with %s',
    async (_what, _which, make, scrubber) => {
      const leak = defineCapability('custom', async (secret) => {
        const box: { made?: unknown } = {};
        await secret.use((key) => void (box.made = make(key)));
        return box.made;
      });
      const { broker, grantAll } = setUp({ capabilities: [leak], scrubber: scrubber() });
      grantAll();
      const error = await failure(call(broker, 'custom'));
      expect(error).toMatchObject({
        code: 'SECRET_DENIED',
        message: expect.stringContaining('would have carried the secret'),
      });
      expect(error.cause).toBeUndefined();
    },
  );

  test('an error of a capability passes, unless it carries the value', async () => {
    const fail = defineCapability('custom', (secret, args) =>
      secret.use((key) => {
        throw new RangeError(args === 'leak' ? `bad key ${key.toString()}` : 'bad amount');
      }),
    );
    const { broker, grantAll } = setUp({ capabilities: [fail] });
    grantAll();
    expect(await failure(call(broker, 'custom'))).toBeInstanceOf(RangeError);
    expect(await failure(call(broker, 'custom', 'key', 'leak'))).toMatchObject({ code: 'SECRET_DENIED' });
  });

  test('a secret that was kept beyond its call is of no use', async () => {
    let kept: Secret | undefined;
    const keep = defineCapability('custom', (secret) => void (kept = secret));
    const { broker, grantAll } = setUp({ capabilities: [keep] });
    grantAll();
    await call(broker, 'custom');
    expect(await failure(kept!.use(String))).toMatchObject({ code: 'SECRET_UNAVAILABLE' });
  });

  test('a provider whose error carries the value tells the caller nothing of it', async () => {
    const { broker, provider, grantAll } = setUp();
    provider.behave({ throws: Object.assign(new Error(canary), { cause: canary }) });
    grantAll();
    const error = await failure(call(broker));
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(
      canary,
    );
  });

  test('after the end no buffer that was made on the way still holds the value', async () => {
    const made: Buffer[] = [];
    const original = Buffer.allocUnsafeSlow.bind(Buffer);
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => {
      const buffer = original(size);
      made.push(buffer);
      return buffer;
    });
    const leak = defineCapability('custom', (secret) => secret.use((key) => key.toString('hex')));
    const desk = setUp({ capabilities: [sign, leak] });
    const { broker, provider, grantAll } = desk;
    const gate = Promise.withResolvers<void>();
    provider.behave({ until: gate.promise });
    grantAll(address, [grant(), grant({ label: 'field', jsonKey: 'key' })]);
    const ending = new Ending();
    const aborted = failure(broker.call(caller(address), 'sign', 'key', 'order', ending));
    const used = call(broker);
    ending.end(new Error('no longer wanted'));
    gate.resolve();
    await Promise.all([aborted, used]);
    await failure(call(broker, 'custom'));
    await failure(call(broker, 'sign', 'field'));
    await rotate(desk, 'v2', JSON.stringify({ key: canary }));
    await call(broker, 'sign', 'field');
    await broker.stop();
    allocate.mockRestore();
    expect(made.length).toBeGreaterThan(10);
    expect([...made, ...provider.handedOut].filter((buffer) => buffer.some((byte) => byte !== 0))).toEqual(
      [],
    );
  });

  test('the value is in no status, snapshot, event, inspection or output', async () => {
    const output: unknown[] = [];
    const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation((...args) => void output.push(args)),
    );
    const desk = setUp();
    const { broker, provider, events, grantAll, clock } = desk;
    const inspected: unknown[] = [];
    broker.actor.system.inspect((event) => inspected.push('event' in event ? event.event : event.type));
    grantAll();
    await call(broker);
    await rotate(desk, 'v2', `${canary}-2`);
    provider.behave({ throws: new Error(canary) });
    clock.increment(300_000);
    await settled(broker, 'stale');
    const seen = JSON.stringify([
      broker.status(),
      broker.calls(),
      broker.actor.getPersistedSnapshot(),
      broker.actor.getSnapshot(),
      events,
      inspected,
      output,
    ]);
    expect(inspected.length).toBeGreaterThan(5);
    expect(seen).toContain('prod/key');
    expect(seen).not.toContain(canary);
    expect(seen).not.toContain(Buffer.from(canary).toString('base64').slice(0, 16));
    for (const spy of spies) spy.mockRestore();
  });
});

describe('the actor', () => {
  const child: NonNullable<SecretsBrokerOptions['start']> = (logic, options) => {
    const parent = createActor(createMachine({})).start();
    return createActor(logic, { ...options, parent }).start();
  };

  test('can be the child of another actor, found there by its system id', async () => {
    const { broker, grantAll } = setUp({ start: child });
    expect(broker.actor.system.get('secrets')).toBe(broker.actor);
    grantAll();
    expect(await call(broker)).toBe(signed(canary, 'order'));
  });

  test('that is ended by somebody else rejects those who wait and those who come', async () => {
    const { broker, provider, grantAll } = setUp({ start: child });
    provider.behave({ until: new Promise(() => {}) });
    grantAll();
    const waiting = failure(call(broker));
    await Promise.resolve();
    broker.actor.send({ type: 'secrets.stop' });
    expect(await waiting).toMatchObject({ code: 'RUNTIME_STOPPED' });
    expect(await failure(call(broker))).toMatchObject({ code: 'RUNTIME_STOPPED' });
  });
});

describe('stopping', () => {
  test('all who wait are told, values and providers are let go, and nothing works any more', async () => {
    const { broker, provider, grantAll } = setUp();
    provider.behave({ until: new Promise(() => {}) });
    grantAll();
    const waiting = failure(call(broker));
    const refreshing = failure(broker.refresh('default', 'prod/key'));
    await broker.stop();
    expect(await waiting).toMatchObject({ code: 'RUNTIME_STOPPED' });
    expect(await refreshing).toMatchObject({ code: 'RUNTIME_STOPPED' });
    expect(await failure(call(broker))).toMatchObject({ code: 'RUNTIME_STOPPED' });
    expect(() => grantAll()).toThrow(expect.objectContaining({ code: 'RUNTIME_STOPPED' }));
    expect(provider.closed).toBe(true);
    expect(broker.actor.getSnapshot().status).toBe('done');
    await broker.stop();
  });
});
