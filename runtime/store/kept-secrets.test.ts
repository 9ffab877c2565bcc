import { defineCapability } from 'holdfast';
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
