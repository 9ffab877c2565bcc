import { expect, test } from 'vitest';
import { fixture, startTest } from '../fixtures/start.ts';
import { program } from './fixtures/tools.ts';

const agents = { user: fixture('tool-user', { mcp: { docs: program('stdio-server') } }) };
const call = (tool: string, args: object) => ({ type: 'call', server: 'docs', tool, args });

test('the test kit calls tools as a runtime does', async () => {
  const runtime = await startTest({ agents });
  const ref = await runtime.spawn('user', { id: 'a' });
  expect(await ref.ask(call('add', { a: 1, b: 2 }), { timeoutMs: 10_000 })).toEqual({ output: { sum: 3 } });
});

test.each([
  [false, 'exit'],
  [true, 'oom'],
] as const)(
  'a thread that is gone at once leaves no call behind (on threads: %s, by %s)',
  async (threads, cause) => {
    const lines: string[] = [];
    const to = (_fields: object, message: string): void => void lines.push(message);
    const logger = { debug: to, info: to, warn: to, error: to };
    const runtime = await startTest({ agents }, { threads, logger });
    const ref = await runtime.spawn('user', { id: 'a' });
    const waiting = ref.ask(call('wait', { name: 'long' }), { timeoutMs: 10_000 }).catch(() => {});
    await expect.poll(() => lines, { timeout: 15_000 }).toContain('began long');
    runtime.faults.killThread('user/a', cause);
    await expect.poll(() => lines, { timeout: 15_000 }).toContain('cancelled long');
    await waiting;
  },
);
