import { expect, test } from 'vitest';
import { program, world } from './fixtures/tools.ts';

test('an agent in a thread calls a tool of a program that the host runs', async () => {
  const { call, audited, runtime } = await world({ docs: program('stdio-server') });
  expect(runtime.status().mcpServers).toMatchObject([
    { agent: 'user', server: 'docs', state: 'idle', tools: 0 },
  ]);
  expect(await call('echo', { say: 'hello' })).toEqual({ output: [{ type: 'text', text: 'hello' }] });
  expect(await call('add', { a: 1, b: 2 })).toEqual({ output: { sum: 3 } });
  expect(runtime.status().mcpServers).toMatchObject([{ state: 'connected', restarts: 0, running: 0 }]);
  expect(audited).toMatchObject([
    { address: 'user/a', mode: 'tool', label: 'docs', through: 'echo', outcome: 'ok' },
    { through: 'add' },
  ]);
});
