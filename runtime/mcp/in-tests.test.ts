import { expect, test } from 'vitest';
import { fixture, startTest } from '../fixtures/start.ts';
import { program } from './fixtures/tools.ts';

test('the test kit calls tools as a runtime does', async () => {
  const runtime = await startTest({
    agents: { user: fixture('tool-user', { mcp: { docs: program('stdio-server') } }) },
  });
  const ref = await runtime.spawn('user', { id: 'a' });
  const call = { type: 'call', server: 'docs', tool: 'add', args: { a: 1, b: 2 } };
  expect(await ref.ask(call, { timeoutMs: 10_000 })).toEqual({ output: { sum: 3 } });
});
