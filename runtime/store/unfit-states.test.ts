import { beforeAll, describe, expect, it, vi } from 'vitest';
import { defineCapability, type RuntimeEvents } from 'holdfast';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import type { DurableStore } from './durable-store.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const soon = (seen: () => unknown): Promise<unknown> => vi.waitFor(seen, { timeout: 20_000 });
const CANARY = 'CANARY-unfit-states/4ed1"7';
const key = { ref: 'UNFIT_CANARY', mode: 'capability', capabilities: ['sign'] } as const;
const account = fixture('account', {
  secrets: { key },
  supervision: { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } },
});
const config = {
  externalSecrets: { provider: 'env' },
  agents: { account, once: { ...account, supervision: { ...account.supervision, restart: 'temporary' } } },
} as const;

beforeAll(() => {
  process.env['UNFIT_CANARY'] = CANARY;
});

async function run(store: DurableStore = memoryDurableStore()) {
  const runtime = await start(config, { store, capabilities: [defineCapability('sign', () => 1)] });
  const escalated = nextEvent<RuntimeEvents['escalation']>((listener) => runtime.on('escalation', listener));
  escalated.catch(() => {});
  return { runtime, escalated, store };
}

describe('a durable instance in a state that cannot be committed', () => {
  it.each([
    ['has the value of a secret', { type: 'note', note: { deep: [CANARY] } }, 'SECRET_IN_SNAPSHOT'],
    [
      'has the value of a secret beside what JSON cannot say',
      { type: 'note', note: new Map([['ж', `ж ${CANARY}`]]) },
      'SECRET_IN_SNAPSHOT',
    ],
    ['cannot be stored', { type: 'spoil' }, 'REPLY_UNCLONABLE'],
  ])('that %s tells nothing of it, and is quarantined', async (_, event, code) => {
    const { runtime, escalated, store } = await run();
    const ref = await runtime.spawn('account', { id: 'a' });
    expect(await ref.ask({ type: 'deposit', amount: 1 })).toBe(1);
    const told: unknown[] = [];
    ref.on('deposited', (deposited: unknown) => told.push(deposited));
    const asked = [ref.deliver(event), ref.ask({ type: 'deposit', amount: 5 })];
    const outcomes = await Promise.allSettled(asked);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code } });
    expect(await escalated).toMatchObject({
      kind: 'instance',
      address: 'account/a',
      error: { code: 'AGENT_QUARANTINED', cause: { code } },
      evidence: { unfit: true, error: { code } },
    });
    expect(told).toEqual([]);
    expect(runtime.status().instances).toMatchObject([{ address: 'account/a', state: 'quarantined' }]);
    const record = await store.load('account/a');
    expect(record?.state).toContain('"total":1');
    expect(JSON.stringify(runtime.deadLetters.list())).not.toContain('CANARY-unfit');
    await ref.resume();
    expect(await ref.ask({ type: 'total' })).toBe(1);
    expect(runtime.status().instances).toMatchObject([{ state: 'running' }]);
  });

  it('of more than 16 MiB is quarantined, and one of 64 KiB is warned of once', async () => {
    const { runtime } = await run();
    const warned: unknown[] = [];
    runtime.on('warning', (warning) => warned.push(warning));
    const [a, b] = [await runtime.spawn('account', { id: 'a' }), await runtime.spawn('account', { id: 'b' })];
    for (const ref of [a, b, a]) await ref.deliver({ type: 'double', times: 17 });
    expect(warned).toMatchObject([{ address: 'account/a', bytes: expect.any(Number) }]);
    const big = a.deliver({ type: 'double', times: 24 });
    await expect(big).rejects.toMatchObject({ code: 'STATE_TOO_LARGE' });
    await soon(() => expect(a.getSnapshot().status).toBe('error'));
  });

  it('is quarantined also when its agent is temporary, and its plain events wait for the resume', async () => {
    const { runtime, escalated } = await run();
    const ref = await runtime.spawn('once', { id: 'a' });
    ref.send({ type: 'deposit', amount: 1 });
    ref.send({ type: 'spoil' });
    await escalated;
    await ref.resume();
    // What spoiled it came again, since it was not refused.
    await soon(() => expect(runtime.status().instances).toMatchObject([{ state: 'quarantined' }]));
    await ref.stop();
    expect(runtime.status().instances).toEqual([]);
  });

  it('that has not begun yet rejects its spawn', async () => {
    const { runtime } = await run();
    await expect(
      runtime.spawn('account', { id: 'a', input: undefined, snapshot: await spoiled() }),
    ).rejects.toMatchObject({ code: 'AGENT_QUARANTINED', cause: { code: 'SECRET_IN_SNAPSHOT' } });
  });
});

async function spoiled() {
  const runtime = await start({ agents: { account: fixture('account') } });
  const ref = await runtime.spawn('account', { id: 'a' });
  await ref.deliver({ type: 'note', note: CANARY });
  return ref.persist();
}

describe('a quarantine', () => {
  it('is found by the next process with its evidence, and ends there by resume', async () => {
    const memory = durableMemory();
    const first = await run(memoryDurableStore(memory));
    const ref = await first.runtime.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 3 });
    await ref.deliver({ type: 'spoil' }).catch(() => {});
    const { evidence } = await first.escalated;
    await first.runtime.stop();
    const second = await run(memoryDurableStore(memory));
    const escalations: unknown[] = [];
    second.runtime.on('escalation', (escalation) => escalations.push(escalation));
    await expect(second.runtime.spawn('account', { id: 'a' })).rejects.toMatchObject({
      code: 'AGENT_QUARANTINED',
      evidence,
    });
    expect(second.runtime.status().instances).toMatchObject([{ state: 'quarantined', incarnation: 1 }]);
    expect(escalations).toEqual([]);
    const again = second.runtime.get('account/a');
    await again?.resume();
    expect(await again?.ask({ type: 'total' })).toBe(3);
    await second.runtime.stop();
    const third = await run(memoryDurableStore(memory));
    expect(await (await third.runtime.spawn('account', { id: 'a' })).ask({ type: 'total' })).toBe(3);
  });

  it('follows a damaged record, which is read again by resume', async () => {
    const memory = durableMemory();
    const first = await run(memoryDurableStore(memory));
    await (await first.runtime.spawn('account', { id: 'a' })).ask({ type: 'deposit', amount: 3 });
    await first.runtime.stop();
    const store = memoryDurableStore(memory);
    const { HoldfastError } = await import('holdfast');
    let damaged = true;
    const load: DurableStore['load'] = (address) =>
      damaged
        ? Promise.reject(new HoldfastError('STORE_CORRUPT', `${address} is damaged`))
        : store.load(address);
    const { runtime } = await run({ ...store, load });
    await expect(runtime.spawn('account', { id: 'a' })).rejects.toMatchObject({
      code: 'AGENT_QUARANTINED',
      cause: { code: 'STORE_CORRUPT' },
    });
    const ref = runtime.get('account/a');
    await expect(ref?.resume()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    damaged = false;
    await ref?.resume();
    expect(await ref?.ask({ type: 'total' })).toBe(3);
  });

  it('leaves alone what was let out before it, in its order', async () => {
    const gate = gatedStore();
    const { runtime } = await run(gate.store);
    const ref = await runtime.spawn('account', { id: 'a' });
    gate.shut();
    const good = ref.ask({ type: 'deposit', amount: 1 });
    const { go } = await gate.next();
    const bad = ref.deliver({ type: 'spoil' });
    bad.catch(() => {});
    go();
    gate.open();
    expect(await good).toBe(1);
    await expect(bad).rejects.toMatchObject({ code: 'REPLY_UNCLONABLE' });
  });
});
