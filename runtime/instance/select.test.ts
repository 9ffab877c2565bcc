import { expect, test } from 'vitest';
import type { AgentRef } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

test('an observer of a selection that rejects is logged, and ends neither the host nor the others', async () => {
  const errors: unknown[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => void errors.push(fields) };
  const runtime = await start({ agents: { nesting: fixture('nesting') } }, { logger });
  const ref = (await runtime.spawn('nesting', { id: 'a' })) as unknown as AgentRef;
  const seen: unknown[] = [];
  const selection = ref.select((snapshot) => (snapshot as { context?: { n: number } }).context?.n);
  selection.subscribe(() => Promise.reject(new Error('on purpose')) as never);
  selection.subscribe({ next: (n) => void seen.push(n) });
  await ref.deliver({ type: 'count' });
  await expect.poll(() => seen.at(-1), { timeout: 60_000 }).toBe(1);
  expect(selection.get()).toBe(1);
  expect(errors.at(-1)).toMatchObject({ error: { message: 'on purpose' } });
});
