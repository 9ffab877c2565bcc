import { SimulatedClock } from 'xstate';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { InjectRules, ResolvedGrant } from '../config/resolve.ts';
import type { HoldfastError } from '../base/errors.ts';
import type { AuditRecord } from './audit.ts';
import { createSecretsBroker } from './broker.ts';
import { startService, type Answer } from './fixtures/echo-service.ts';
import { createMemoryProvider } from './fixtures/memory-provider.ts';
import type { Caller } from './secret-use.ts';

const canary = 'CANARY-77ab-key-of-a-service';
const btc: Caller = { address: 'trading/btc', incarnation: 1, pool: 'desk' };

async function setUp(
  answer?: Answer,
  extra: Partial<InjectRules> = {},
  mode: ResolvedGrant['mode'] = 'inject',
) {
  const service = await startService(answer);
  const clock = new SimulatedClock();
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const audited: AuditRecord[] = [];
  const broker = createSecretsBroker({
    providers: [{ alias: 'default', provider: 'memory', cacheTtlMs: 300_000, options: {} }],
    customProviders: [provider],
    clock,
    random: () => 1,
    audit: { record: (record) => audited.push(record) },
  });
  onTestFinished(() => broker.stop());
  const inject: InjectRules = {
    origins: [service.origin],
    methods: ['GET', 'POST'],
    paths: ['/*'],
    header: 'Authorization',
    format: 'Bearer {}',
    privateAddresses: [],
    maxResponseBytes: 1000,
    maxRequestBytes: 1_048_576,
    maxStreamBytes: 1_048_576,
    idleTimeoutMs: 30_000,
    ...extra,
  };
  const grant: ResolvedGrant = {
    label: 'key',
    provider: 'default',
    id: 'prod/key',
    mode,
    capabilities: [],
    ...(mode === 'inject' && { inject }),
  };
  const open = (caller = btc): void => broker.open(caller, [grant], () => {});
  open();
  const get = (request: object = {}, caller = btc) =>
    broker.fetch(caller, 'key', { url: `${service.origin}/v1/x`, ...request });
  const sent = (): unknown[] => service.received.map(({ headers }) => headers.authorization);
  return { service, clock, provider, broker, audited, open, get, sent };
}

const refusal = (promise: Promise<unknown>): Promise<HoldfastError> =>
  promise.then(
    () => expect.unreachable('it should have been refused'),
    (error: unknown) => error as HoldfastError,
  );

describe('secretFetch', () => {
  test('sends the secret that is granted, and the trail says where to and with which version', async () => {
    const { get, sent, audited, service } = await setUp();
    expect(await get({ method: 'POST', body: {} })).toMatchObject({ status: 200, body: 'fine' });
    expect(sent()).toEqual([`Bearer ${canary}`]);
    const through = `POST ${new URL(service.origin).host}`;
    expect(audited).toMatchObject([{ ...btc, mode: 'inject', through, versionId: 'v1', outcome: 'ok' }]);
    expect(JSON.stringify(audited)).not.toContain(canary);
  });

  test('refuses before anything is fetched or sent, and the trail has it', async () => {
    const { get, audited, provider, service, broker } = await setUp();
    await vi.waitFor(() => expect(broker.status()[0]?.state).toBe('fresh'));
    const calls = provider.log.length;
    expect(await refusal(get({ url: 'https://evil.test/' }))).toMatchObject({ code: 'SECRET_DENIED' });
    expect(await refusal(get({}, { ...btc, incarnation: 2 }))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
    expect(await refusal(broker.fetch(btc, 'other', {}))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
    expect(await refusal(broker.call(btc, 'sign.hmac', 'key', {}))).toMatchObject({
      code: 'SECRET_NOT_GRANTED',
    });
    expect(await refusal(broker.reveal(btc, 'key'))).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
    expect(provider.log.length).toBe(calls);
    expect(service.received).toEqual([]);
    expect(audited.map(({ mode, outcome }) => [mode, outcome])).toEqual([
      ['inject', 'SECRET_DENIED'],
      ['inject', 'SECRET_NOT_GRANTED'],
      ['inject', 'SECRET_NOT_GRANTED'],
      ['capability', 'SECRET_NOT_GRANTED'],
      ['reveal', 'SECRET_NOT_GRANTED'],
    ]);
  });

  test('counts the requests of all instances of the agent against its rate, which a restart does not reset', async () => {
    const { get, clock, open } = await setUp(undefined, { rate: { requests: 2, withinMs: 1000 } });
    const eth = { ...btc, address: 'trading/eth' };
    const again = { ...btc, incarnation: 2 };
    open(eth);
    await get();
    await get({}, eth);
    open(again);
    expect(await refusal(get({}, again))).toMatchObject({ code: 'SECRET_RATE_LIMITED' });
    clock.increment(1000);
    expect(await get({}, again)).toMatchObject({ status: 200 });
  });

  const onlyNew: Answer = ({ headers }, response) => {
    response.writeHead(headers.authorization === 'Bearer the-value-after' ? 200 : 401).end('answer');
  };

  test('that is answered 401 is sent once more with the version that is current by then', async () => {
    const { get, sent, provider, audited, broker } = await setUp(onlyNew);
    await vi.waitFor(() => expect(broker.status()[0]?.state).toBe('fresh'));
    provider.set('prod/key', 'v2', 'the-value-after');
    expect(await get({ method: 'POST', body: 'x' })).toMatchObject({ status: 200 });
    expect(sent().slice(-2)).toEqual([`Bearer ${canary}`, 'Bearer the-value-after']);
    expect(audited.at(-1)).toMatchObject({ versionId: 'v2', outcome: 'ok' });
  });

  test('that is answered 401 twice is not sent a third time', async () => {
    const { get, sent, provider } = await setUp((_, response) => void response.writeHead(401).end());
    provider.set('prod/key', 'v1', canary);
    await refusal(get({ url: 'x' }));
    provider.set('prod/key', 'v2', 'the-value-after');
    expect(await get()).toMatchObject({ status: 401 });
    expect(sent().length).toBeLessThanOrEqual(2);
  });

  test('gives the answer 401 when no other version comes, after 5 s at the latest', async () => {
    const { get, provider, clock, broker, sent } = await setUp(onlyNew);
    await vi.waitFor(() => expect(broker.status()[0]?.state).toBe('fresh'));
    provider.behave({ until: new Promise(() => {}) });
    const got = get();
    await vi.waitFor(() => expect(provider.log.length).toBeGreaterThan(1));
    clock.increment(5_000);
    expect(await got).toMatchObject({ status: 401, body: 'answer' });
    expect(sent()).toHaveLength(1);
  });

  test('ends after 30 s, and with its incarnation', async () => {
    const silent: Answer = () => {};
    const { get, clock, service, broker } = await setUp(silent);
    const late = refusal(get());
    await vi.waitFor(() => expect(service.received).toHaveLength(1));
    clock.increment(30_000);
    expect(await late).toMatchObject({ code: 'ASK_TIMEOUT' });
    const ended = refusal(get());
    await vi.waitFor(() => expect(service.received).toHaveLength(2));
    broker.suspend(btc.address);
    expect(await ended).toMatchObject({ code: 'AGENT_STOPPED' });
  });
});

describe('a value that is revealed', () => {
  test('is a copy in memory of its own, and the trail has it', async () => {
    const { broker, audited } = await setUp(undefined, {}, 'reveal');
    const value = await broker.reveal(btc, 'key');
    expect(Buffer.from(value).toString()).toBe(canary);
    expect(value.buffer.byteLength).toBe(canary.length);
    value.fill(0);
    expect(Buffer.from(await broker.reveal(btc, 'key')).toString()).toBe(canary);
    expect(audited).toMatchObject([
      { mode: 'reveal', label: 'key', versionId: 'v1', outcome: 'ok' },
      { mode: 'reveal', outcome: 'ok' },
    ]);
    expect(JSON.stringify(audited)).not.toContain(canary);
  });

  test('is for nobody whose grant is for something else, and for no request', async () => {
    const { broker, get } = await setUp(undefined, {}, 'reveal');
    expect(await refusal(get())).toMatchObject({ code: 'SECRET_NOT_GRANTED' });
    expect(await refusal(broker.reveal({ ...btc, pool: 'other' }, 'key'))).toMatchObject({
      code: 'SECRET_NOT_GRANTED',
    });
  });
});
