import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { McpServerConfig } from 'holdfast';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';
import { close, startModern, startOld, type HttpServer } from './fixtures/http-servers.ts';
import { world, type Outcome } from './fixtures/tools.ts';

const canary = 'CANARY-4be1-of-an-mcp-service';
const [modern, old, gone] = await Promise.all([startModern(), startOld(), startModern()]);
await close(gone);
afterAll(() => Promise.all([close(modern), close(old)]));
const provider = createMemoryProvider();
provider.set('prod/key', 'v1', canary);

const at = (server: HttpServer, more: Partial<McpServerConfig> = {}): McpServerConfig => ({
  url: server.url,
  tools: { allow: ['*'] },
  ...more,
});
const grant = {
  ref: 'prod/key',
  mode: 'inject',
  methods: ['POST'],
  hosts: [modern.origin, old.origin],
} as const;
const all = await world(
  {
    plain: at(modern),
    keyed: at(modern, { secret: 'key' }),
    old: at(old, { secret: 'key' }),
    elsewhere: at(modern, { secret: 'narrow' }),
    tight: at(modern, { secret: 'key', maxResultBytes: 1000 }),
    absent: at(gone),
  },
  { secrets: { key: grant, narrow: { ...grant, paths: ['/other/*'] } } },
  { providers: [provider] },
  afterAll,
);
const { call, runtime, audited } = all;
const text = ({ output }: Outcome): string => (output as [{ text: string }])[0].text;

beforeEach(() => {
  for (const server of [modern, old]) {
    server.received.length = 0;
    server.noted.length = 0;
    server.before = () => false;
  }
  audited.length = 0;
});

describe('an agent in a thread calls a tool of a service', () => {
  test.each(['plain', 'keyed'])('of the current protocol (%s)', async (server) => {
    expect(text(await call('echo', { say: 'hello' }, server))).toBe('hello');
    expect(await call('add', { a: 1, b: 2 }, server)).toEqual({ output: { sum: 3 } });
    expect(modern.received.map(({ headers }) => headers['mcp-method'])).not.toContain('subscriptions/listen');
    const sent = new Set(modern.received.map(({ headers }) => headers.authorization));
    expect([...sent]).toEqual([server === 'plain' ? undefined : `Bearer ${canary}`]);
    expect(audited.filter(({ mode }) => mode === 'tool')).toMatchObject([
      { address: 'user/a', label: server, through: 'echo', outcome: 'ok' },
      { address: 'user/a', label: server, through: 'add', outcome: 'ok' },
    ]);
  });

  test('of the older one, with a session that the service may forget', async () => {
    expect(text(await call('echo', { say: 'one' }, 'old'))).toBe('one');
    for (const status of [404, 400]) {
      old.forget(status);
      const both = await Promise.all(['two', 'three'].map((say) => call('echo', { say }, 'old')));
      expect(both).toEqual(['two', 'three'].map((say) => ({ output: [{ type: 'text', text: say }] })));
    }
    // No line is left open while nobody calls.
    expect(old.received.map(({ method }) => method)).not.toContain('GET');
    expect(runtime.status().mcpServers?.find(({ server }) => server === 'old')).toMatchObject({
      restarts: 2,
    });
  });

  test('whose arguments have changed since it was listed', async () => {
    expect(text(await call('echo', { say: 'one' }, 'plain'))).toBe('one');
    let refused = 0;
    modern.before = (request, response) => {
      if (request.headers['mcp-method'] !== 'tools/call' || refused > 0) return false;
      refused += 1;
      request.on('data', (chunk: Buffer) => {
        const { id } = JSON.parse(chunk.toString()) as { id: unknown };
        const error = { code: -32_020, message: 'a header is missing' };
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error }));
      });
      return true;
    };
    expect(text(await call('echo', { say: 'two' }, 'plain'))).toBe('two');
    expect(modern.received.map(({ headers }) => headers['mcp-method']).slice(-3)).toEqual([
      'tools/call',
      'tools/list',
      'tools/call',
    ]);
  });

  test('whose key has changed, without a failure', async () => {
    let refused = 0;
    modern.before = ({ headers, url }, response) => {
      if (headers.authorization === 'Bearer another key') return false;
      refused += 1;
      response.writeHead(401).end(url);
      return true;
    };
    provider.set('prod/key', 'v2', 'another key');
    expect(text(await call('echo', { say: 'hello' }, 'keyed'))).toBe('hello');
    expect(refused).toBe(1);
  });
});

describe('a call fails with what is known', () => {
  test('when nobody answers', async () => {
    const { code, message } = await call('echo', { say: 'hello' }, 'absent');
    expect(code).toBe('MCP_FAILED');
    expect(message).toMatch(/could not be reached: .*ECONNREFUSED/);
  });

  test('when the grant does not allow the request', async () => {
    expect(await call('echo', { say: 'hello' }, 'elsewhere')).toMatchObject({ code: 'SECRET_DENIED' });
    expect(modern.received).toEqual([]);
  });

  test('when the answer is too large', async () => {
    const { code, message } = await call('big', { bytes: 100_000 }, 'tight');
    expect(code).toBe('MESSAGE_TOO_LARGE');
    expect(message).toContain('more than 1000 bytes');
    expect(text(await call('echo', { say: 'small' }, 'tight'))).toBe('small');
  });

  test.each([
    ['application/json', 'plain'],
    ['text/event-stream', 'plain'],
    ['application/json', 'keyed'],
    ['text/event-stream', 'keyed'],
  ])('when the answer ends too early (%s, %s)', async (type, server) => {
    await call('echo', { say: 'first' }, server);
    modern.before = (_request, response) => {
      response.writeHead(200, { 'content-type': type });
      response.write(type === 'application/json' ? '{"jsonrpc":"2.0"' : 'data: {"jsonrpc"');
      setImmediate(() => response.destroy());
      return true;
    };
    expect(await call('echo', { say: 'hello' }, server)).toMatchObject({ code: 'MCP_FAILED' });
  });

  test('when the connection breaks, whether its requests have a secret or not', async () => {
    for (const server of ['plain', 'keyed']) {
      await call('echo', { say: 'first' }, server);
      modern.before = (_request, response) => {
        response.destroy();
        return true;
      };
      const { code, message } = await call('echo', { say: 'hello' }, server);
      expect(code).toBe('MCP_FAILED');
      expect(message).toMatch(/\(UND_ERR_SOCKET\)/);
      modern.before = () => false;
    }
  });

  test.each(['plain', 'keyed'])(
    'when the service accepts the call, and has no answer to it (%s)',
    async (server) => {
      modern.before = ({ headers }, response) => {
        if (headers['mcp-method'] !== 'tools/call') return false;
        response.writeHead(202).end();
        return true;
      };
      expect(await call('echo', { say: 'x' }, server)).toMatchObject({
        code: 'MCP_FAILED',
        message: expect.stringContaining('202') as string,
      });
    },
  );

  test('when the answer is nothing of MCP', async () => {
    modern.before = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>');
      return true;
    };
    expect(await call('echo', { say: 'hello' }, 'plain')).toMatchObject({ code: 'MCP_FAILED' });
  });

  test('when the service sends it elsewhere, and the secret goes nowhere', async () => {
    let others = 0;
    modern.before = ({ url }, response) => {
      if (url !== '/mcp') others += 1;
      response.writeHead(307, { location: 'http://127.0.0.1:2/mcp' }).end();
      return true;
    };
    expect(await call('echo', { say: 'hello' }, 'keyed')).toMatchObject({ code: 'MCP_FAILED' });
    expect(others).toBe(0);
  });
});

test.each([
  ['modern', 'keyed', modern],
  ['old', 'old', old],
] as const)(
  'a call that nobody waits for is cancelled at the service (%s)',
  async (_which, server, service) => {
    const { noted } = service;
    const waiting = call('wait', { name: 'long' }, server).catch(() => {});
    await expect.poll(() => noted, { timeout: 60_000 }).toEqual(['began long']);
    all.ref.send({ type: 'leave' });
    await expect.poll(() => noted, { timeout: 60_000 }).toEqual(['began long', 'cancelled long']);
    // Nothing waits for its answer any more.
    await expect.poll(() => service.open, { timeout: 60_000 }).toBe(0);
    void waiting;
  },
);

test('a key is nowhere but in the requests', async () => {
  await call('echo', { say: canary }, 'keyed');
  await call('fail', { why: canary }, 'plain');
  const told = [all.lines, audited, runtime.status(), await all.ref.persist()];
  expect(JSON.stringify(told)).not.toContain(canary);
  expect(
    audited.some(
      ({ address, mode, label }) => address === 'mcp:user/keyed' && mode === 'inject' && label === 'key',
    ),
  ).toBe(true);
});
