import { expect, test } from 'vitest';
import { agent, memoryStore } from 'holdfast';
import type grown from '../fixtures/grown.ts';
import { fixture, startTest } from '../fixtures/start.ts';

const agents = { grown: agent<typeof grown>(fixture('grown', { supervision: { state: 'snapshot' } })) };
const recordOf = (id: string, version: string, value: string) => ({
  v: 1 as const,
  address: `grown/${id}`,
  incarnation: 3,
  seq: 1,
  version,
  snapshot: { status: 'active', value, context: {}, historyValue: {}, children: {} },
  timers: [],
  at: 0,
});

test('a state goes on with the machine that came after it, by the migrations of its module', async () => {
  const store = memoryStore();
  await store.save(recordOf('a', '1', 'pending'));
  const runtime = await startTest({ agents }, { store });
  const ref = await runtime.spawn('grown', { id: 'a' });
  expect(await ref.ask({ type: 'read' })).toEqual([1]);
  await runtime.stop();
  expect(await store.load('grown/a')).toMatchObject({ version: '3', snapshot: { value: 'idle' } });
});

test('a state that no migration leads from, or that does not fit, refuses the spawn and stays', async () => {
  const store = memoryStore();
  const [old, odd] = [recordOf('old', '0', 'pending'), recordOf('odd', '3', 'gone')];
  await store.save(old);
  await store.save(odd);
  const runtime = await startTest({ agents }, { store });
  await expect(runtime.spawn('grown', { id: 'old' })).rejects.toMatchObject({
    code: 'STATE_INCOMPATIBLE',
    message: expect.stringMatching(/version "0" .* version "3": nobody migrates version "0"/u) as string,
  });
  await expect(runtime.spawn('grown', { id: 'odd' })).rejects.toMatchObject({
    code: 'STATE_INCOMPATIBLE',
    message: expect.stringContaining("'gone'") as string,
  });
  await runtime.stop();
  expect(await store.load('grown/old')).toEqual(old);
  expect(await store.load('grown/odd')).toEqual(odd);
});
