import { defineCapability } from 'holdfast';
import { createMemoryProvider } from 'holdfast/testing';
import { expect, it } from 'vitest';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const CANARY = 'CANARY-kept/7c1e"2';

it('an event and an answer with the value of a secret are not stored, and said so', async () => {
  process.env['KEPT_CANARY'] = CANARY;
  const secrets = { key: { ref: 'KEPT_CANARY', mode: 'capability', capabilities: ['sign'] } } as const;
  const config = {
    externalSecrets: { provider: 'env' },
    agents: { account: fixture('account', { secrets }) },
  } as const;
  const memory = durableMemory();
  const runtime = await start(config, {
    store: memoryDurableStore(memory),
    capabilities: [defineCapability('sign', () => 1)],
  });
  const ref = await runtime.spawn('account', { id: 'a' });
  const letter = nextEvent((listener) => runtime.on('dead-letter', listener));
  const event = { type: 'note', note: { deep: [CANARY] } };
  const code = 'SECRET_IN_SNAPSHOT';
  await expect(ref.enqueue(event)).rejects.toMatchObject({ code });
  expect(await letter).toMatchObject({ address: 'account/a', reason: 'secret' });
  await expect(ref.enqueue(event, { id: 'one' })).rejects.toMatchObject({ code });
  expect(await ref.ask({ type: 'echo', value: CANARY }, { id: 'two' })).toBe(CANARY);
  await expect(ref.ask({ type: 'echo', value: CANARY }, { id: 'two' })).rejects.toMatchObject({
    code: 'ANSWER_NOT_KEPT',
  });
  expect(
    JSON.stringify([...memory.ids.values(), ...memory.rows.values(), ...memory.letters.values()]),
  ).not.toContain('CANARY');
});

it('the value of a secret is found where a long text is cut into parts', async () => {
  process.env['KEPT_CANARY'] = CANARY;
  const secrets = { key: { ref: 'KEPT_CANARY', mode: 'capability', capabilities: ['sign'] } } as const;
  const config = {
    externalSecrets: { provider: 'env' },
    agents: { account: fixture('account', { secrets }) },
  } as const;
  const memory = durableMemory();
  const runtime = await start(config, {
    store: memoryDurableStore(memory),
    capabilities: [defineCapability('sign', () => 1)],
  });
  const ref = await runtime.spawn('account', { id: 'cut' });
  // The literal begins with a quote, and its first part ends within the value.
  const note = 'x'.repeat(128 * 1024 - 1 - 8) + CANARY;
  await expect(ref.deliver({ type: 'note', note })).rejects.toMatchObject({ code: 'SECRET_IN_SNAPSHOT' });
  expect(JSON.stringify([...memory.records.values()])).not.toContain('xxx');
});

const lines = Array.from({ length: 1000 }, (_, line) => ({ line, text: `the line ${line}` }));

it.each([
  [
    'a run of fields that has not changed',
    lines.map((one) => (one.line === 600 ? { ...one, text: CANARY } : one)),
    'snapshot.context.note.600.text',
  ],
  [
    'a long text that has not changed',
    [...lines, `${'x'.repeat(5000)}${CANARY}`],
    'snapshot.context.note.1000',
  ],
])('what becomes the value of a secret later is found in %s', async (_, note, path) => {
  const provider = createMemoryProvider();
  provider.set('key', 'another value, of which nothing is kept');
  const secrets = { key: { ref: 'key', mode: 'capability', capabilities: ['sign'] } } as const;
  const config = {
    externalSecrets: { provider: 'memory' },
    agents: { account: fixture('account', { secrets }) },
  };
  const memory = durableMemory();
  const runtime = await start(config, {
    store: memoryDurableStore(memory),
    providers: [provider],
    capabilities: [defineCapability('sign', () => 1)],
  });
  const ref = await runtime.spawn('account', { id: 'later' });
  await ref.deliver({ type: 'note', note });
  // From the second on, no more is told than what has changed.
  for (const total of [1, 2]) expect(await ref.ask({ type: 'deposit', amount: 1 })).toBe(total);
  provider.rotate('key', CANARY);
  await runtime.refreshSecret('key');
  const refused = ref.ask({ type: 'deposit', amount: 1 });
  await expect(refused).rejects.toMatchObject({
    code: 'SECRET_IN_SNAPSHOT',
    message: expect.stringContaining(` at ${path};`),
  });
  expect(memory.records.get('account/later')?.state).toContain('"total":2');
});
