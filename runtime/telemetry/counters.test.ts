import { expect, test } from 'vitest';
import { metrics, ValueType } from '@opentelemetry/api';
import { defineCapability, type Grant, type RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { EventHub } from '../telling/runtime-events.ts';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';
import { version } from '../base/version.ts';
import type { AgentAt } from './attributes.ts';
import { countEvents, type EventSource } from './counters.ts';
import { collectMetrics, type FakeMetrics, type Series } from './fixtures/meter-provider.ts';

const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };
const CANARY = 'canary-5d0b-never-to-be-seen';
const grant: Grant = { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] };

const agent = (name: string): string => JSON.stringify({ 'holdfast.agent': name });
const letter = (name: string, reason: string): string => JSON.stringify({ 'holdfast.agent': name, reason });

const agentEvent = (
  runtime: Awaited<ReturnType<typeof start>>,
  state: RuntimeEvents['agent']['state'],
  incarnation: number,
) =>
  nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    (event) => event.state === state && event.incarnation === incarnation,
  );

const restarts = (fake: FakeMetrics): Series => fake.counted('holdfast.agent.restarts');

/** The runtime's own hub, to say what no real runtime says on request. */
function events(): { hub: EventHub; source: EventSource } {
  const unwanted = (_fields: object, message: string): never => {
    throw new Error(message);
  };
  const hub = new EventHub(
    { debug: unwanted, info: unwanted, warn: unwanted, error: unwanted },
    { scrub: (event) => event },
  );
  return { hub, source: hub };
}

const secret = { provider: 'default', id: 'desk/key', mode: 'capability', capabilities: [] } as const;
const signer = {
  name: 'signer',
  threadId: 'pool',
  grants: [
    { ...secret, label: 'key' },
    { ...secret, label: 'same', jsonKey: 'field' },
    { ...secret, label: 'other', id: 'desk/other' },
    { ...secret, label: 'staged', stage: 'AWSPENDING' },
  ],
};
const agentAt: AgentAt = (address) => (address.startsWith('signer/') ? signer : undefined);

test('each counter has a unit, a text and whole numbers, in the scope of the package', async () => {
  const fake = collectMetrics();
  await start({ agents: { counter: fixture('counter') } });
  expect([...fake.scopes]).toEqual([`holdfast ${version}`]);
  const counters = [...fake.instruments].slice(0, 3);
  expect(counters.map(([name, options]) => [name, options?.unit])).toEqual([
    ['holdfast.agent.restarts', '{restart}'],
    ['holdfast.dead_letters', '{message}'],
    ['holdfast.secret.rotations', '{rotation}'],
  ]);
  for (const options of fake.instruments.values())
    expect(options).toMatchObject({ description: expect.stringMatching(/\.$/) });
  for (const [, options] of counters) expect(options).toMatchObject({ valueType: ValueType.INT });
});

test('a crash counts as one restart of its agent', async () => {
  const fake = collectMetrics();
  const runtime = await start({
    agents: {
      process: fixture('process', { supervision: quick }),
      'an/other': fixture('process', { threadId: 'another', supervision: quick }),
    },
  });
  const crash = async (name: 'process' | 'an/other', incarnation: number): Promise<void> => {
    const ref = runtime.get(`${encodeURIComponent(name)}/a`) ?? (await runtime.spawn(name, { id: 'a' }));
    const again = agentEvent(runtime, 'running', incarnation);
    ref.send({ type: 'exit', code: 1 });
    await again;
  };
  await crash('process', 2);
  expect(restarts(fake)).toEqual({ [agent('process')]: 1 });
  await crash('process', 3);
  await crash('an/other', 2);
  expect(restarts(fake)).toEqual({ [agent('process')]: 2, [agent('an/other')]: 1 });
  expect(runtime.status().restarts).toBe(3);
});

test('an end that no restart follows is none: given up, temporary, or stopped while it waits', async () => {
  const fake = collectMetrics();
  const intensity = { restarts: 2, withinMs: 60_000 };
  const slow = { minMs: 60_000, maxMs: 60_000, factor: 1, jitter: 0 };
  const runtime = await start({
    agents: {
      failing: fixture('counter', { supervision: { ...quick, intensity } }),
      temporary: fixture('counter', { supervision: { restart: 'temporary' } }),
      waiting: fixture('counter', { supervision: { backoff: slow } }),
    },
  });
  const failing = await runtime.spawn('failing');
  const given = nextEvent<RuntimeEvents['escalation']>((listener) => runtime.on('escalation', listener));
  for (let i = 0; i < 3; i++) failing.send({ type: 'fail' });
  await given;
  const temporary = await runtime.spawn('temporary');
  const ended = agentEvent(runtime, 'ended', 1);
  temporary.send({ type: 'fail' });
  await ended;
  const waiting = await runtime.spawn('waiting');
  const waits = agentEvent(runtime, 'restarting', 1);
  waiting.send({ type: 'fail' });
  await waits;
  await waiting.stop();
  expect(restarts(fake)).toEqual({ [agent('failing')]: 2 });
  expect(runtime.status().restarts).toBe(2);
});

test('a restart that fails before it runs counts, and an address that comes back starts over', () => {
  const fake = collectMetrics();
  const { source, hub } = events();
  countEvents(metrics.getMeter('test'), source, agentAt);
  const tell = (incarnation: number, state: RuntimeEvents['agent']['state']): void =>
    hub.emit('agent', { address: 'signer/a', incarnation, state });
  tell(1, 'running');
  tell(1, 'restarting');
  tell(2, 'restarting');
  tell(3, 'running');
  expect(restarts(fake)).toEqual({ [agent('signer')]: 2 });
  tell(4, 'ended');
  expect(restarts(fake)).toEqual({ [agent('signer')]: 3 });
  tell(1, 'running');
  tell(2, 'running');
  expect(restarts(fake)).toEqual({ [agent('signer')]: 4 });
});

test('dead letters are counted by agent and reason, also those of a runtime that has stopped', async () => {
  const fake = collectMetrics();
  const runtime = await start({
    agents: {
      counter: fixture('counter'),
      process: fixture('process', { threadId: 'other', supervision: quick }),
    },
  });
  const counter = await runtime.spawn('counter');
  const process = await runtime.spawn('process');
  counter.send({ type: 'inc', payload: () => 1 });
  counter.send({ type: 'inc', payload: () => 2 });
  const again = agentEvent(runtime, 'running', 2);
  process.send({ type: 'exit', code: 1 });
  await again;
  const before = { [letter('counter', 'unclonable')]: 2, [letter('process', 'poison')]: 1 };
  await expect.poll(() => fake.counted('holdfast.dead_letters'), { timeout: 60_000 }).toEqual(before);
  await runtime.stop();
  counter.send({ type: 'inc' });
  const after = { ...before, [letter('counter', 'stopped')]: 1 };
  expect(fake.counted('holdfast.dead_letters')).toEqual(after);
  expect(runtime.status().deadLetters).toBe(4);
});

test('addresses that are not declared share one series, however many there are', () => {
  const fake = collectMetrics();
  const { source, hub } = events();
  countEvents(metrics.getMeter('test'), source, agentAt);
  for (const address of ['made-up/1', 'made-up/2', 'signer', '', '%/x', 'signer/a']) {
    const letter = {
      id: '1',
      reason: 'unknown-address',
      event: {},
      incarnation: 1,
      at: 0,
      replays: 0,
    } as const;
    hub.emit('dead-letter', { ...letter, address });
    // Not counted again.
    hub.emit('dead-letter', { ...letter, address, replays: 1 });
  }
  expect(fake.counted('holdfast.dead_letters')).toEqual({
    [letter('_OTHER', 'unknown-address')]: 5,
    [letter('signer', 'unknown-address')]: 1,
  });
});

test('a rotation counts once though two instances and two labels hear of it', async () => {
  const fake = collectMetrics();
  const provider = createMemoryProvider();
  provider.set('desk/key', 'v1', CANARY);
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory', cacheTTL: 1 },
      agents: { signer: fixture('signer', { secrets: { key: grant, again: grant } }) },
    },
    { providers: [provider], capabilities: [defineCapability('sign', () => null)] },
  );
  await runtime.spawn('signer');
  await runtime.spawn('signer');
  await expect.poll(() => runtime.status().secrets[0]?.epoch, { timeout: 60_000 }).toBe(1);
  expect(fake.counted('holdfast.secret.rotations')).toEqual({});
  const heard: string[] = [];
  runtime.on('secret', ({ address, label }) => void heard.push(`${address} ${label}`));
  provider.set('desk/key', 'v2', `${CANARY}-2`);
  await expect.poll(() => heard.length, { timeout: 60_000 }).toBe(4);
  expect(fake.counted('holdfast.secret.rotations')).toEqual({ '{}': 1 });
});

test('two secrets that change are two rotations, and so is the next change of one', () => {
  const fake = collectMetrics();
  const { source, hub } = events();
  countEvents(metrics.getMeter('test'), source, agentAt);
  const tell = (label: string, epoch: number, address = 'signer/a'): void =>
    hub.emit('secret', { type: 'secret.rotated', address, label, epoch, cause: 'poll' });
  for (const label of ['key', 'same', 'other', 'staged', 'not-granted']) tell(label, 2);
  expect(fake.counted('holdfast.secret.rotations')).toEqual({ '{}': 3 });
  for (const address of ['signer/a', 'signer/b', 'made-up/a']) tell('key', 3, address);
  expect(fake.counted('holdfast.secret.rotations')).toEqual({ '{}': 4 });
});

test('an instance that goes on from a store with a later incarnation was not restarted', () => {
  const fake = collectMetrics();
  const { hub, source } = events();
  countEvents(metrics.getMeter('test'), source, agentAt);
  const tell = (incarnation: number, state: 'running' | 'restarting'): void =>
    hub.emit('agent', { address: 'signer/a', incarnation, state });
  tell(4, 'running');
  expect(restarts(fake)).toEqual({});
  tell(4, 'restarting');
  tell(5, 'running');
  expect(restarts(fake)).toEqual({ [agent('signer')]: 1 });
});
