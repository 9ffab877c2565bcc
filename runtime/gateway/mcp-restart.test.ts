import { fileURLToPath } from 'node:url';
import { Client as NewClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { expect, onTestFinished, test } from 'vitest';
import { gateway } from './fixtures/gateway.ts';

const module = fileURLToPath(new URL('../fixtures/desk-of-tools.ts', import.meta.url));
const agents = { desk: { type: 'thread-bound', threadId: 'desk', maxThreads: 1, module } };
type Call = (name: string, args: object) => Promise<Result>;

const info = { name: 'a client', version: '1' };

interface Result {
  readonly content: readonly { readonly text: string }[];
  readonly isError?: boolean;
}

test('a restart in the middle of a call loses nothing, and refuses none that comes meanwhile', async () => {
  const { front, token, call } = await gateway({ agents });
  const url = new URL('/mcp', front.url);
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const client = async (of: 'new' | 'new by default' | 'old'): Promise<Call> => {
    if (of === 'old') {
      const old = new OldClient(info);
      await old.connect(new OldTransport(url, { requestInit }));
      onTestFinished(() => old.close());
      return (name, args) => old.callTool({ name, arguments: args as never }) as never;
    }
    const one = new NewClient(info, of === 'new' ? { versionNegotiation: { mode: 'auto' } } : {});
    await one.connect(new StreamableHTTPClientTransport(url, { requestInit }));
    onTestFinished(() => one.close());
    return (name, args) => one.callTool({ name, arguments: args as never }) as never;
  };
  const clients = await Promise.all([client('new'), client('new by default'), client('old')]);
  let answered = 0;
  const late = clients.map(async (callTool) => {
    const result = await callTool('desk_later', { id: 'a' });
    answered += 1;
    return result;
  });
  const waiting = async (): Promise<unknown> => {
    const { body } = await call('GET', '/v1/agents/desk/a/snapshot');
    return (body as { context?: { tokens: object[] } }).context?.tokens.length;
  };
  await expect.poll(waiting, { timeout: 20_000 }).toBe(3);
  const over = new AbortController();
  const meanwhile = clients.map(async (callTool, n) => {
    let ordered = 0;
    for (; !over.signal.aborted; ordered++) {
      const result = await callTool('desk_order', { id: `other-${n}`, item: 'tea' });
      expect(result).not.toHaveProperty('isError', true);
    }
    expect((await callTool('desk_total', { id: `other-${n}` })).content[0]?.text).toBe(String(ordered));
    return ordered;
  });
  expect(await front.restart()).toMatchObject({ lost: [] });
  expect(answered).toBe(0);
  over.abort();
  expect((await Promise.all(meanwhile)).every((ordered) => ordered > 0)).toBe(true);
  const [callTool] = clients;
  expect((await callTool('desk_answer', { id: 'a', reply: 'at last' })).content[0]?.text).toBe(
    '{"answered":3}',
  );
  for (const result of await Promise.all(late)) expect(result.content[0]?.text).toBe('at last');
});

test('a call that tells of its progress does not hold a restart, and fails in words', async () => {
  const { front, token } = await gateway({ agents });
  const client = new NewClient(info, { versionNegotiation: { mode: 'auto' } });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', front.url), { requestInit }));
  onTestFinished(() => client.close());
  let heard = 0;
  const call = client.callTool(
    { name: 'desk_drip', arguments: { id: 'a' } },
    { onprogress: () => void (heard += 1), timeout: 60_000 },
  );
  await expect.poll(() => heard, { timeout: 20_000 }).toBeGreaterThan(2);
  await front.restart();
  expect(await call).toMatchObject({ isError: true, _meta: { 'holdfast/error': { retryable: true } } });
});
