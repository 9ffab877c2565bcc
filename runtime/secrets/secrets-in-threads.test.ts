import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AgentRef, AuditRecord, Grant, Supervision } from 'holdfast';
import { fixture, start, startTest } from '../fixtures/start.ts';
import { startService } from './fixtures/echo-service.ts';
import { createMemoryProvider } from './fixtures/memory-provider.ts';

const canary = 'CANARY-d0c7-to-be-used-unseen';
const hmac = (key: string): string => createHmac('sha256', key).update('order').digest('hex');
const signing: Grant = { ref: 'prod/key', mode: 'capability', capabilities: ['sign.hmac'] };
const revealing: Grant = { ref: 'prod/key', mode: 'reveal', unsafe: true };
const supervision: Supervision = { backoff: { minMs: 1, maxMs: 2, factor: 1, jitter: 0 } };

async function setUp(grant: Grant, agent: object = {}) {
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const audited: AuditRecord[] = [];
  const user = fixture('secret-user', { secrets: { key: grant }, supervision, ...agent });
  const runtime = await start(
    { externalSecrets: { provider: 'memory' }, agents: { user } },
    { providers: [provider], audit: (record: AuditRecord) => void audited.push(record) },
  );
  return { runtime, provider, audited };
}

type Outcome = { output?: never; error?: { code?: string; message: string } };
const use = async (ref: AgentRef, type: string, more: object = {}): Promise<Outcome> =>
  (await ref.ask({ type, ...more }, { timeoutMs: 10_000 })) as Outcome;

describe('on real threads, with permissions', () => {
  test('an agent signs with the built-in capability, by its label or a handle', async () => {
    const { runtime, audited } = await setUp(signing);
    const ref = await runtime.spawn('user', { id: 'a' });
    const { output: handle } = await use(ref, 'handle');
    expect(handle).toMatchObject({ type: 'holdfast.secret', handle: 'secret:user/a/key', label: 'key' });
    for (const label of ['key', handle]) {
      expect(await use(ref, 'sign', { label, args: { data: 'order' } })).toEqual({ output: hmac(canary) });
    }
    expect(audited.map(({ mode, address, outcome }) => [mode, address, outcome])).toEqual([
      ['handle', 'user/a', 'ok'],
      ['capability', 'user/a', 'ok'],
      ['capability', 'user/a', 'ok'],
    ]);
    expect(JSON.stringify([handle, await ref.persist(), runtime.status(), audited])).not.toContain(canary);
  });

  test('an agent has a request sent with a secret that it does not see, though the service echoes it', async () => {
    const service = await startService((request, response) => {
      response.setHeader('x-echo', String(request.headers.authorization)).end(JSON.stringify(request));
    });
    const { runtime } = await setUp({
      ref: 'prod/key',
      mode: 'inject',
      hosts: [service.origin],
      methods: ['POST'],
    });
    const ref = await runtime.spawn('user');
    const request = {
      url: `${service.origin}/v1`,
      method: 'POST',
      headers: { 'x-a': 'b' },
      body: { qty: 1 },
    };
    const { output } = await use(ref, 'fetch', { request });
    expect(output).toMatchObject({ status: 200, headers: { 'x-echo': 'Bearer <redacted:secret>' } });
    expect(service.received).toMatchObject([
      { method: 'POST', body: '{"qty":1}', headers: { 'x-a': 'b', authorization: `Bearer ${canary}` } },
    ]);
    const bytes = await use(ref, 'fetch', { request: { ...request, as: 'bytes' } });
    expect((bytes.output as unknown as { body: unknown }).body).toBeInstanceOf(Uint8Array);
    const elsewhere = await use(ref, 'fetch', { request: { ...request, url: 'https://evil.test/' } });
    expect(elsewhere.error).toMatchObject({ code: 'SECRET_DENIED' });
    expect(JSON.stringify([output, elsewhere, await ref.persist()])).not.toContain(canary);
  });

  test('an agent whose grant reveals gets the value in memory of its own, and nobody else does', async () => {
    const { runtime, audited } = await setUp(revealing);
    const ref = await runtime.spawn('user');
    const { output } = await use(ref, 'value');
    expect(Buffer.from(output as unknown as Uint8Array).toString()).toBe(canary);
    expect(audited).toMatchObject([{ mode: 'reveal', outcome: 'ok' }]);
    expect((await use(ref, 'sign', { args: { data: 'order' } })).error).toMatchObject({
      code: 'SECRET_NOT_GRANTED',
    });
    expect((await use(ref, 'fetch', { request: { url: 'https://a.test/' } })).error).toMatchObject({
      code: 'SECRET_NOT_GRANTED',
    });
  });

  test('what is not granted looks the same in the thread to the last byte', async () => {
    const { runtime } = await setUp(signing);
    const other = await setUp(revealing);
    const one = await runtime.spawn('user');
    const two = await other.runtime.spawn('user');
    const unknown = await use(one, 'sign', { label: 'other', args: { data: 'x' } });
    const wrongMode = await use(two, 'sign', { label: 'key', args: { data: 'x' } });
    const all = ({ error }: Outcome): string =>
      JSON.stringify([error?.message, (error as Error).stack, error?.code, Object.keys(error ?? {})]);
    expect(all(wrongMode)).toBe(all(unknown).replaceAll('other', 'key'));
    expect(all(unknown)).toContain('SECRET_NOT_GRANTED');
  });

  test('a restarted instance has its grant as the next incarnation, and is told first where its secret stands', async () => {
    const { runtime, provider, audited } = await setUp(signing);
    const ref = await runtime.spawn('user');
    await use(ref, 'sign', { args: { data: 'order' } });
    provider.set('prod/key', 'v2', `${canary}-2`);
    const again = new Promise<void>((resolve) => {
      runtime.on('agent', ({ state, incarnation }) => {
        if (state === 'running' && incarnation === 2) resolve();
      });
    });
    ref.send({ type: 'fail' });
    await again;
    expect(await ref.ask({ type: 'heard' })).toMatchObject([
      { type: 'secret.rotated', label: 'key', epoch: 1, versionId: 'v1' },
    ]);
    expect(await use(ref, 'sign', { args: { data: 'order' } })).toEqual({ output: hmac(canary) });
    expect(audited.map(({ incarnation }) => incarnation)).toEqual([1, 2]);
  });

  test('an instance that continues from a snapshot is told so too, and one that begins is not', async () => {
    const { runtime } = await setUp(signing);
    const first = await runtime.spawn('user', { id: 'a' });
    await use(first, 'sign', { args: { data: 'order' } });
    expect(await first.ask({ type: 'heard' })).toEqual([]);
    const snapshot = await first.persist();
    await first.stop();
    const second = await runtime.spawn('user', { id: 'a', snapshot });
    expect(await second.ask({ type: 'heard' })).toMatchObject([{ epoch: 1, label: 'key' }]);
  });

  test('an instance that moves to another thread takes its grant along, and is told nothing anew', async () => {
    const { runtime } = await setUp(signing);
    const ref = await runtime.spawn('user');
    const { thread } = ref;
    await runtime.recycle();
    expect(ref.thread).not.toBe(thread);
    expect(await use(ref, 'sign', { args: { data: 'order' } })).toEqual({ output: hmac(canary) });
    expect(ref.incarnation).toBe(1);
    expect(await ref.ask({ type: 'heard' })).toEqual([]);
  });

  test('a request ends with the actor that had it sent, when its machine leaves the state', async () => {
    const closed: Promise<void>[] = [];
    const service = await startService((_request, response) => {
      closed.push(new Promise((resolve) => response.on('close', resolve)));
    });
    const { runtime, audited } = await setUp({ ref: 'prod/key', mode: 'inject', hosts: [service.origin] });
    const ref = await runtime.spawn('user');
    ref.send({ type: 'fetch', request: { url: service.origin } });
    await expect.poll(() => closed.length).toBe(1);
    ref.send({ type: 'leave' });
    await closed[0];
    await expect.poll(() => audited).toMatchObject([{ mode: 'inject', outcome: 'AGENT_STOPPED' }]);
    expect(await ref.ask({ type: 'heard' })).toEqual([]);
  });

  test('a request ends with its incarnation, long before the next one begins', async () => {
    const closed: Promise<void>[] = [];
    const service = await startService((_request, response) => {
      closed.push(new Promise((resolve) => response.on('close', resolve)));
    });
    const slowly = { backoff: { minMs: 600_000, maxMs: 600_000, factor: 1, jitter: 0 } };
    const grant: Grant = { ref: 'prod/key', mode: 'inject', hosts: [service.origin] };
    const { runtime } = await setUp(grant, { supervision: slowly });
    const ref = await runtime.spawn('user');
    ref.send({ type: 'fetch', request: { url: service.origin } });
    await expect.poll(() => closed.length).toBe(1);
    ref.send({ type: 'fail' });
    await closed[0];
    // The thread aborts it in the turn that fails, and tells of the failure after it.
    await expect.poll(() => runtime.status().instances).toMatchObject([{ state: 'restarting' }]);
    expect(runtime.status().secrets).toMatchObject([{ holders: 1 }]);
  });

  test('a request ends with the instance that had it sent: when that fails, stops or is quarantined', async () => {
    const closed: Promise<void>[] = [];
    const service = await startService((_request, response) => {
      closed.push(new Promise((resolve) => response.on('close', resolve)));
    });
    const { runtime, audited } = await setUp(
      { ref: 'prod/key', mode: 'inject', hosts: [service.origin] },
      { supervision: { ...supervision, intensity: { restarts: 1, withinMs: 60_000 } } },
    );
    const ref = await runtime.spawn('user');
    const begin = async (count: number): Promise<void> => {
      ref.send({ type: 'fetch', request: { url: service.origin } });
      await expect.poll(() => closed.length).toBe(count);
    };
    await begin(1);
    ref.send({ type: 'fail' });
    await closed[0];
    await begin(2);
    ref.send({ type: 'fail' });
    await closed[1];
    // The thread aborts it in the turn that fails, and tells of the failure after it.
    await expect.poll(() => runtime.status().instances).toMatchObject([{ state: 'quarantined' }]);
    await ref.resume();
    await begin(3);
    await ref.stop();
    await closed[2];
    await expect.poll(() => audited.map(({ outcome }) => outcome)).toEqual(Array(3).fill('AGENT_STOPPED'));
  });
});

test('in a test runtime that runs agents in process they use secrets in the same ways', async () => {
  const service = await startService((request, response) => void response.end(request.headers.authorization));
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const grants: Record<string, Grant> = {
    signer: signing,
    reader: revealing,
    sender: { ref: 'prod/key', mode: 'inject', hosts: [service.origin] },
  };
  const agents = Object.fromEntries(
    Object.entries(grants).map(([name, grant]) => [
      name,
      fixture('secret-user', { threadId: name, secrets: { key: grant } }),
    ]),
  );
  const runtime = await startTest(
    { externalSecrets: { provider: 'memory' }, agents },
    { threads: false, providers: [provider] },
  );
  const signer = await runtime.spawn('signer');
  expect(await use(signer, 'sign', { args: { data: 'order' } })).toEqual({ output: hmac(canary) });
  const reader = await runtime.spawn('reader');
  const { output } = await use(reader, 'value');
  expect(Buffer.from(output as unknown as Uint8Array).toString()).toBe(canary);
  const sender = await runtime.spawn('sender');
  const sent = await use(sender, 'fetch', { request: { url: service.origin } });
  expect(sent.output).toMatchObject({ status: 200, body: 'Bearer <redacted:secret>' });
});
