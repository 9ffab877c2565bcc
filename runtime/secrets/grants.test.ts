import { SimulatedClock } from 'xstate';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ResolvedGrant } from '../config/resolve.ts';
import type { HoldfastError } from '../base/errors.ts';
import type { SeenSecret, SeenSecrets } from '../base/seen-secret.ts';
import type { AuditRecord } from './audit.ts';
import { createSecretsBroker } from './broker.ts';
import { defineCapability } from './capabilities/capability.ts';
import { createMemoryProvider } from './fixtures/memory-provider.ts';
import type { SecretEvent } from './secret-event.ts';
import type { Caller } from './secret-use.ts';

const canary = 'CANARY-8c1f-value-to-guard';
const btc: Caller = { address: 'trading/btc', incarnation: 1, pool: 'desk' };
const grant = (extra: Partial<ResolvedGrant> = {}): ResolvedGrant => ({
  label: 'key',
  provider: 'default',
  id: 'prod/key',
  mode: 'capability',
  capabilities: ['version'],
  ...extra,
});
const version = defineCapability('version', (secret) => secret.versionId);
const hang = defineCapability('hang', () => new Promise(() => {}));

function setUp() {
  const clock = new SimulatedClock();
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const audited: AuditRecord[] = [];
  const broker = createSecretsBroker({
    providers: [{ alias: 'default', provider: 'memory', cacheTtlMs: 300_000, options: {} }],
    customProviders: [provider],
    capabilities: [version, hang],
    clock,
    random: () => 1,
    audit: { record: (record) => audited.push(record) },
  });
  onTestFinished(() => broker.stop());
  const heard: SecretEvent[] = [];
  const open = (caller: Caller, grants = [grant()], continues = false): void =>
    broker.open({ ...caller, continues }, grants, (event) => heard.push(event));
  const call = (caller: Caller, name = 'version', label: unknown = 'key') =>
    broker.call(caller, name, label, undefined);
  const rotate = async (versionId: string): Promise<void> => {
    provider.set('prod/key', versionId, `${canary}-${versionId}`);
    clock.increment(10_000);
    await broker.refresh('default', 'prod/key');
  };
  return { clock, provider, broker, audited, heard, open, call, rotate };
}

async function refusal(promise: Promise<unknown>): Promise<HoldfastError> {
  try {
    await promise;
  } catch (error) {
    return error as HoldfastError;
  }
  throw new Error('it was not refused');
}

/** All that could tell one refusal from another. */
const whole = (error: HoldfastError): unknown => [
  error.code,
  error.name,
  error.message,
  error.stack,
  error.cause,
  Object.keys(error),
];

describe('what is not granted', () => {
  test('is refused in the same words to the last byte, whatever the reason, and no provider is asked', async () => {
    const reasons: Record<string, ResolvedGrant[]> = {
      'the label does not exist': [],
      'the label is of another instance': [grant({ label: 'theirs' })],
      'the capability is not listed': [grant({ capabilities: [] })],
      'the mode is inject': [grant({ mode: 'inject', capabilities: [] })],
      'the mode is reveal': [grant({ mode: 'reveal', capabilities: [] })],
    };
    const seen: unknown[] = [];
    for (const grants of Object.values(reasons)) {
      const { open, call, broker, provider } = setUp();
      open(btc, grants);
      open({ ...btc, address: 'trading/eth' });
      await vi.waitFor(() => expect(broker.status()[0]?.state).toBe('fresh'));
      const before = provider.log.length;
      seen.push(whole(await refusal(call(btc))));
      expect(provider.log.length).toBe(before);
    }
    const { open, call } = setUp();
    open(btc, [grant({ capabilities: ['version', 'unregistered'] })]);
    const unregistered = await refusal(call(btc, 'unregistered'));
    seen.push(JSON.parse(JSON.stringify(whole(unregistered)).replaceAll('unregistered', 'version')));
    seen.push(whole(await refusal(call({ ...btc, address: 'nobody/1' }))));
    for (const one of seen) expect(JSON.stringify(one)).toBe(JSON.stringify(seen[0]));
    expect(seen[0]).toContain('SECRET_NOT_GRANTED');
  });

  test.each([
    ['an earlier incarnation', { incarnation: 1 }],
    ['a later incarnation', { incarnation: 3 }],
    ['another pool', { pool: 'other' }],
    ['another instance', { address: 'trading/eth' }],
    ['an instance named like a part of an object', { address: '__proto__' }],
  ])('a call of %s has no grant', async (_, other) => {
    const { open, call } = setUp();
    const second = { ...btc, incarnation: 2 };
    open(btc);
    open(second);
    expect(await call(second)).toBe('v1');
    expect(await refusal(call({ ...second, ...other }))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
  });

  test('does not become granted by the names that every object has', async () => {
    const { open, call } = setUp();
    open(btc);
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(await refusal(call(btc, 'version', name))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
      expect(await refusal(call(btc, name))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
    }
  });
});

describe('grants end', () => {
  test.each(['suspend', 'close'] as const)('with %s, and with them the calls that run', async (end) => {
    const { open, call, broker } = setUp();
    open(btc, [grant({ capabilities: ['version', 'hang'] })]);
    const running = refusal(call(btc, 'hang'));
    await call(btc);
    broker[end](btc.address);
    expect(await running).toMatchObject({ code: 'AGENT_STOPPED' });
    expect(await refusal(call(btc))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
    expect(broker.status()[0]?.holders).toBe(end === 'suspend' ? 1 : 0);
  });

  test('with the incarnation: the calls of the one before do not run on under the next', async () => {
    const { open, call } = setUp();
    open(btc, [grant({ capabilities: ['hang'] })]);
    const running = refusal(call(btc, 'hang'));
    await Promise.resolve();
    open({ ...btc, incarnation: 2 }, [grant({ capabilities: ['hang'] })]);
    expect(await running).toMatchObject({ code: 'AGENT_STOPPED' });
  });

  test('and nothing more is heard: not between two incarnations, nor after the last', async () => {
    const { open, call, broker, heard, rotate } = setUp();
    open(btc);
    await call(btc);
    broker.suspend(btc.address);
    await rotate('v2');
    expect(heard).toEqual([]);
    open({ ...btc, incarnation: 2 });
    await rotate('v3');
    expect(heard.map(({ epoch }) => epoch)).toEqual([3]);
    broker.close(btc.address);
    await expect(rotate('v4')).resolves.toBeUndefined();
    expect(heard).toHaveLength(1);
  });
});

describe('one that continues', () => {
  test('is told first where its secrets stand, what it missed being no matter', async () => {
    const { open, call, broker, heard, rotate } = setUp();
    open(btc);
    await call(btc);
    broker.suspend(btc.address);
    await rotate('v2');
    await rotate('v3');
    open({ ...btc, incarnation: 2 }, [grant(), grant({ label: 'again' })], true);
    await Promise.resolve();
    expect(heard).toMatchObject([
      { type: 'secret.rotated', label: 'key', epoch: 3, versionId: 'v3', cause: 'manual', v: 1 },
      { type: 'secret.rotated', label: 'again', epoch: 3, versionId: 'v3' },
    ]);
    await rotate('v4');
    expect(heard.slice(2).map(({ epoch }) => epoch)).toEqual([4, 4]);
  });

  test('is told that a secret is stale with the version that is used still, and that one is revoked without a new version', async () => {
    const { open, call, broker, heard, rotate, provider, clock } = setUp();
    open(btc);
    await call(btc);
    await rotate('v2');
    const restart = async (incarnation: number): Promise<unknown[]> => {
      const before = heard.length;
      open({ ...btc, incarnation }, [grant()], true);
      await Promise.resolve();
      return heard.slice(before);
    };
    const look = async (failure: 'transient' | 'denied'): Promise<void> => {
      provider.behave({ failure });
      clock.increment(10_000);
      await refusal(broker.refresh('default', 'prod/key'));
    };
    await look('transient');
    expect(await restart(2)).toMatchObject([
      { type: 'secret.rotated', epoch: 2, versionId: 'v2' },
      { type: 'secret.stale', epoch: 2, versionId: 'v2', graceUntil: 910_000 },
    ]);
    await look('denied');
    expect(await restart(3)).toMatchObject([{ type: 'secret.revoked', epoch: 2, versionId: 'v2' }]);
  });

  test('in a new host is told when its secrets are there, by the fetch that holding them has begun', async () => {
    const { open, heard, provider } = setUp();
    open(btc, [grant()], true);
    expect(heard).toEqual([]);
    await vi.waitFor(() => expect(heard).toMatchObject([{ epoch: 1, versionId: 'v1', label: 'key' }]));
    expect(provider.log).toEqual(['fetch prod/key']);
  });

  test('hears that a secret cannot be had where nothing was ever known, and one that begins anew does not hear it again', async () => {
    const { open, call, heard, provider, broker } = setUp();
    provider.behave({ failure: 'denied' });
    open(btc, [grant()], true);
    await vi.waitFor(() => expect(broker.status()[0]?.failure).toBe('denied'));
    open({ ...btc, address: 'trading/eth' });
    await refusal(call(btc));
    expect(heard).toMatchObject([{ type: 'secret.unavailable', label: 'key', epoch: 0 }]);
  });
});

describe('one whose state knows its secrets', () => {
  const knowing = (known?: SeenSecret): SeenSecrets & { readonly all: SeenSecret[] } => {
    const all = known === undefined ? [] : [known];
    return { all, seenOf: () => all.at(-1), saw: (seen) => void all.push(seen) };
  };
  const rig = (known?: SeenSecret) => {
    const { provider, broker, heard, rotate, call } = setUp();
    const seen = knowing(known);
    const open = (): void =>
      broker.open({ ...btc, continues: known !== undefined, seen }, [grant()], (event) => heard.push(event));
    return { provider, broker, heard, rotate, call, seen, open };
  };

  test('is told nothing of a version that it knows, and of the next one by an epoch above its own', async () => {
    const { open, call, heard, rotate } = rig({ label: 'key', versionId: 'v1', epoch: 7 });
    open();
    expect(await call(btc)).toBe('v1');
    await rotate('v2');
    expect(heard).toMatchObject([{ type: 'secret.rotated', versionId: 'v2', epoch: 8 }]);
  });

  test('is told of another version when that is there, and of no trouble that it knows', async () => {
    const known = { label: 'key', versionId: 'v0', epoch: 7, trouble: 'unavailable' } as const;
    const { open, call, heard, provider, broker, rotate } = rig(known);
    provider.behave({ failure: 'denied' });
    open();
    await refusal(call(btc));
    await vi.waitFor(() => expect(broker.status()[0]?.failure).toBe('denied'));
    expect(heard).toEqual([]);
    provider.behave({});
    await rotate('v1');
    expect(heard).toMatchObject([
      { type: 'secret.rotated', versionId: 'v1', epoch: 8 },
      { type: 'secret.recovered', versionId: 'v1', epoch: 8 },
    ]);
  });

  test('begins with the version that is there first', async () => {
    const { open, call, heard, seen } = rig();
    open();
    await call(btc);
    await vi.waitFor(() => expect(seen.all).toEqual([{ label: 'key', versionId: 'v1', epoch: 1 }]));
    expect(heard).toEqual([]);
  });
});

describe('a handle', () => {
  test('stands for the secret in its current version, without a value, and calls no provider', async () => {
    const { open, call, broker, provider, rotate } = setUp();
    open(btc, [grant({ mode: 'reveal', capabilities: [] })]);
    open({ ...btc, address: 'trading/eth' });
    const cold = await broker.handle(btc, 'key');
    expect(cold).toEqual({
      type: 'holdfast.secret',
      handle: 'secret:trading/btc/key',
      label: 'key',
      epoch: 0,
    });
    await call({ ...btc, address: 'trading/eth' });
    await rotate('v2');
    const calls = provider.log.length;
    const warm = await broker.handle(btc, 'key');
    expect(warm).toEqual({ ...cold, epoch: 2, versionId: 'v2' });
    expect(JSON.parse(JSON.stringify(warm))).toEqual(warm);
    expect(provider.log.length).toBe(calls);
    expect(await refusal(broker.handle(btc, 'other'))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
  });

  test('serves as a label for the instance it was given to, and for no other of the same label', async () => {
    const { open, call, broker } = setUp();
    const eth = { ...btc, address: 'trading/eth' };
    open(btc);
    open(eth);
    const handle = await broker.handle(btc, 'key');
    expect(await call(btc, 'version', handle)).toBe('v1');
    expect(await call(btc, 'version', structuredClone(handle))).toBe('v1');
    for (const other of [
      handle,
      { ...handle, label: 'other' },
      { label: 'key' },
      null,
      7,
      [],
      { handle: 1 },
    ]) {
      const asked = other === handle ? eth : btc;
      expect(await refusal(call(asked, 'version', other))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
    }
  });
});

test('every use is in the audit trail, and every refused one, with the version and never the value', async () => {
  const { open, call, broker, audited, clock, provider } = setUp();
  open(btc, [grant({ capabilities: ['version', 'hang'] })]);
  await call(btc);
  await refusal(call(btc, 'version', 'other'));
  await refusal(call({ ...btc, incarnation: 7 }));
  await broker.handle(btc, 'key');
  const hung = refusal(call(btc, 'hang'));
  await call(btc);
  clock.increment(60_000);
  await hung;
  provider.behave({ failure: 'denied' });
  await refusal(broker.refresh('default', 'prod/key'));
  await refusal(call(btc));
  const at = new Date(0).toISOString();
  const common = { at, ...btc, label: 'key', mode: 'capability', through: 'version', ms: 0 };
  expect(audited).toEqual([
    { ...common, versionId: 'v1', outcome: 'ok' },
    { ...common, label: 'other', outcome: 'SECRET_NOT_GRANTED' },
    { ...common, incarnation: 7, outcome: 'SECRET_NOT_GRANTED' },
    { at, ...btc, label: 'key', mode: 'handle', versionId: 'v1', outcome: 'ok', ms: 0 },
    { ...common, versionId: 'v1', outcome: 'ok' },
    { ...common, through: 'hang', versionId: 'v1', outcome: 'ASK_TIMEOUT', ms: 60_000 },
    { ...common, at: new Date(60_000).toISOString(), outcome: 'SECRET_DENIED' },
  ]);
  expect(JSON.stringify(audited)).not.toContain(canary);
});

describe('a version that a service refused', () => {
  test('gives way to another one, and both are kept in', async () => {
    const { open, broker, provider } = setUp();
    const given: string[] = [];
    const retry = defineCapability('retry', async (first, leak, { rejected }) => {
      provider.set('prod/key', 'v2', 'the-value-after-it');
      const second = await rejected();
      given.push(first.versionId, second.versionId);
      return second.use((key) => (leak === true ? key.toString() : key.length));
    });
    const own = createSecretsBroker({
      providers: [{ alias: 'default', provider: 'memory', cacheTtlMs: 300_000, options: {} }],
      customProviders: [provider],
      capabilities: [retry],
    });
    onTestFinished(() => own.stop());
    open(btc);
    own.open(btc, [grant({ capabilities: ['retry'] })], () => {});
    expect(await own.call(btc, 'retry', 'key', false)).toBe('the-value-after-it'.length);
    expect(given).toEqual(['v1', 'v2']);
    provider.set('prod/key', 'v1', canary);
    await own.refresh('default', 'prod/key').catch(() => {});
    expect(await refusal(own.call(btc, 'retry', 'key', true))).toMatchObject({ code: 'SECRET_DENIED' });
    expect(broker.calls().total).toBeGreaterThan(0);
  });
});
