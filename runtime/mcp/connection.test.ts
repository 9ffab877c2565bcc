import { expect, test } from 'vitest';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import type { HoldfastError } from '../base/errors.ts';
import { FakeClock } from '../mailbox/fixtures/fake-clock.ts';
import { Connection } from './connection.ts';

/** An old server in this process, with one tool; it ends when it is told to. */
class OldServer implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly stderr = null;
  readonly pid = null;
  readonly #fails: boolean;

  constructor(fails: boolean) {
    this.#fails = fails;
  }

  async start(): Promise<void> {
    if (this.#fails) throw new Error('it does not start');
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (!('method' in message) || !('id' in message)) return;
    const { id, method } = message;
    const serverInfo = { name: 'old', version: '1' };
    const results: Record<string, object> = {
      initialize: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo },
      'tools/list': { tools: [{ name: 'go', inputSchema: { type: 'object' } }] },
    };
    const result = results[method];
    const answer = result === undefined ? { error: { code: -32_601, message: 'no' } } : { result };
    queueMicrotask(() => this.onmessage?.({ jsonrpc: '2.0', id, ...answer } as JSONRPCMessage));
  }

  async close(): Promise<void> {
    this.onclose?.();
  }
}

function world() {
  const clock = Object.assign(new FakeClock(), { random: () => 0 });
  const failures: HoldfastError[] = [];
  const servers: OldServer[] = [];
  const state = { fails: false };
  const connection = new Connection({
    server: 'old',
    clock,
    startTimeoutMs: 1000,
    scrub: (found) => found,
    open: async () => {
      const transport = new OldServer(state.fails);
      servers.push(transport);
      return { transport, reason: () => undefined };
    },
    failed: (error) => failures.push(error),
  });
  /** The state after so many milliseconds and all that comes of them. */
  const after = async (ms: number): Promise<string> => {
    clock.pass(ms);
    for (let i = 0; i < 50; i++) await Promise.resolve();
    return connection.state;
  };
  return { clock, connection, failures, servers, state, after };
}

test('a connection that ends is made again when it is needed, after a pause that doubles up to 10 s', async () => {
  const { connection, servers, after, failures } = world();
  expect(connection.state).toBe('idle');
  await connection.need('go');
  expect([connection.state, connection.tools, connection.restarts]).toEqual(['connected', 1, 0]);
  for (const pause of [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    await servers.at(-1)?.close();
    expect(connection.state).toBe('failed');
    const made = servers.length;
    const again = connection.need('go');
    expect(await after(pause - 1)).toBe('connecting');
    expect(servers).toHaveLength(made);
    await after(1);
    await again;
    expect(servers).toHaveLength(made + 1);
  }
  expect(connection.restarts).toBe(8);
  expect(failures.map(({ code }) => code)).toEqual(Array(8).fill('MCP_FAILED'));
  // One that has stayed for a while begins anew.
  await after(30_001);
  await servers.at(-1)?.close();
  const again = connection.need('go');
  await after(200);
  await again;
});

test('those who need it at one time share one attempt, and its failure', async () => {
  const { connection, servers, state } = world();
  state.fails = true;
  const outcomes = await Promise.allSettled([connection.need('go'), connection.need('go')]);
  expect(
    outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as HoldfastError).code),
  ).toEqual(['MCP_FAILED', 'MCP_FAILED']);
  expect(servers).toHaveLength(1);
});

test('a stop ends an attempt, its pause, and the connection', async () => {
  const { clock, connection, servers } = world();
  await connection.need('go');
  await servers.at(-1)?.close();
  const waiting = connection.need('go');
  await connection.stop();
  await expect(waiting).rejects.toMatchObject({ code: 'MCP_FAILED' });
  await expect(connection.need('go')).rejects.toMatchObject({ code: 'MCP_FAILED' });
  expect([connection.state, servers.length, clock.pending]).toEqual(['stopped', 1, 0]);
});
