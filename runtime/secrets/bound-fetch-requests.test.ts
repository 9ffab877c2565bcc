import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createRuntime, type AgentRef, type AuditRecord, type Grant, type Runtime } from 'holdfast';
import { fixture } from '../fixtures/start.ts';
import { encodingsIn } from './capabilities/decoded-body.ts';
import { createMemoryProvider } from './fixtures/memory-provider.ts';

const canary = 'CANARY-9b1d-key-of-a-model';
const REDACTED = '<redacted:secret>';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** One service and one runtime for all: what is told apart is the path. */
let origin: string;
let answer: (seen: Seen, response: ServerResponse) => void;
const seen: Seen[] = [];
const audited: AuditRecord[] = [];
const provider = createMemoryProvider();
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('error', () => {});
  request.on('data', (chunk: Buffer) => void (request.url === '/v1/dropped' || chunks.push(chunk)));
  request.on('end', () => {
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks) };
    seen.push(one);
    answer(one, response);
  });
});
let runtime: Runtime;
let user: AgentRef;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  provider.set('prod/key', 'v1', canary);
  provider.set('prod/low', 'v1', 'canary-in-lower-case');
  const grant = (more: Partial<Grant> = {}): Grant => ({
    ref: 'prod/key',
    mode: 'inject',
    hosts: [origin],
    methods: ['GET', 'HEAD', 'POST', 'PUT'],
    ...more,
  });
  const secrets = {
    key: grant(),
    reads: grant({ methods: ['GET'] }),
    named: grant({ header: 'X-Api-Key', format: '{}' }),
    small: grant({ maxStreamBytes: 10, maxRequestBytes: 20 }),
    large: grant({ maxRequestBytes: 8_500_000 }),
    rated: grant({ rate: '1/h' }),
    impatient: grant({ idleTimeoutMs: 100 }),
    elsewhere: grant({ hosts: ['http://127.0.0.1:1'] }),
    low: grant({ ref: 'prod/low' }),
  };
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  runtime = await createRuntime(
    {
      externalSecrets: { provider: 'memory' },
      agents: { user: fixture('bound-requests', { secrets }) },
    },
    { logger: silent, providers: [provider], audit: (record: AuditRecord) => void audited.push(record) },
  );
  user = await runtime.spawn('user', { id: 'a' });
});

afterAll(async () => {
  await runtime.stop();
  server.closeAllConnections();
  server.close();
});

afterEach(() => {
  expect(JSON.stringify(audited)).not.toContain(canary);
  seen.length = 0;
  audited.length = 0;
});

interface Shown {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
  readonly url: string;
  readonly error?: { name: string; message: string; code?: string; cause?: { code?: string } };
}

async function use<T = Shown>(way: string, asked: object = {}): Promise<T> {
  const used = await user.ask({ type: 'use', way, url: `${origin}/v1/x`, ...asked }, { timeoutMs: 20_000 });
  expect(JSON.stringify(used)).not.toContain(canary);
  return used as T;
}

const echo: typeof answer = ({ method, url, headers, body }, response) =>
  void response.end(JSON.stringify({ method, url, type: headers['content-type'], body: body.toString() }));

describe('a request', () => {
  test('is a URL, a text or a Request, with or without more', async () => {
    answer = echo;
    const texts = (await use<Shown[]>('inputs')).map(({ text }) => JSON.parse(text) as object);
    expect(texts).toEqual([
      { method: 'GET', url: '/v1/x', body: '' },
      { method: 'POST', url: '/v1/x', type: 'text/plain;charset=UTF-8', body: 'of a request' },
      { method: 'PUT', url: '/v1/x', type: 'text/plain;charset=UTF-8', body: 'of init' },
    ]);
    expect(seen[1]?.headers).toMatchObject({ 'x-a': 'b', authorization: `Bearer ${canary}` });
  });

  test('has a body of any kind that a fetch takes', async () => {
    answer = echo;
    const [text, bytes, search, blob, form, stream] = await use<{ type?: string; body: string }[]>('bodies');
    expect([text?.body, bytes?.body, search?.body, blob?.body]).toEqual([
      'tëxt',
      '\u0002\u0003',
      'a=b+c',
      'blob',
    ]);
    expect(search?.type).toBe('application/x-www-form-urlencoded;charset=UTF-8');
    expect(form?.type).toMatch(/^multipart\/form-data; boundary=/);
    expect(form?.body).toContain('filename="f.txt"');
    expect(stream?.body).toBe('xxxxx');
    expect(seen.every(({ headers }) => headers['content-length'] !== undefined)).toBe(true);
  });

  test('whose body is too large to be held is sent as it is read, with its length where that is known', async () => {
    answer = ({ body }, response) => void response.end(createHash('sha256').update(body).digest('hex'));
    const hashOf = (byte: number): string =>
      createHash('sha256').update(Buffer.alloc(9_000_000, byte)).digest('hex');
    expect(await use('large')).toMatchObject({ text: hashOf(120) });
    expect(await use('large', { init: {} })).toMatchObject({ text: hashOf(0) });
    expect(await use('large', { init: { method: 'form' } })).toMatchObject({ status: 200 });
    expect(Number(seen.pop()?.headers['content-length'])).toBeGreaterThan(9_000_000);
    expect(seen.map(({ headers }) => [headers['content-length'], headers['transfer-encoding']])).toEqual([
      [undefined, 'chunked'],
      ['9000000', undefined],
    ]);
  });

  test('loses the credentials that a library sets, and keeps its other headers', async () => {
    answer = echo;
    const headers = {
      Authorization: 'Bearer made-up',
      'x-api-key': 'made-up',
      'API-Key': 'made-up',
      'x-goog-api-key': 'made-up',
      cookie: 'made-up',
      'accept-encoding': 'made-up',
      'x-stainless-helper-method': 'stream',
      'user-agent': 'lib/1',
    };
    for (const label of ['key', 'named'])
      expect(await use('plain', { label, init: { headers } })).toMatchObject({ status: 200 });
    const [key, named] = seen.map(({ headers }) => headers);
    expect(JSON.stringify(seen)).not.toContain('made-up');
    expect(key).toMatchObject({
      authorization: `Bearer ${canary}`,
      'x-stainless-helper-method': 'stream',
      'user-agent': 'lib/1',
      accept: '*/*',
    });
    expect([named?.['x-api-key'], named?.authorization]).toEqual([canary, undefined]);
  });

  test.each([
    [{ init: { headers: { range: 'bytes=0-1' } } }, 'SECRET_DENIED', 'range'],
    [
      { init: { headers: { 'x-http-method-override': 'DELETE' } } },
      'SECRET_DENIED',
      'x-http-method-override',
    ],
    [{ label: 'reads', init: { method: 'POST', body: 'x' } }, 'SECRET_DENIED', 'POST'],
    [{ url: 'https://elsewhere.test/' }, 'SECRET_DENIED', 'host'],
    [{ label: 'none' }, 'SECRET_NOT_GRANTED', 'none'],
    [{ label: 'small', init: { method: 'POST', body: 'x'.repeat(21) } }, 'MESSAGE_TOO_LARGE', '20'],
  ])(
    'that cannot go (%j) is refused with the error itself, and nobody is asked',
    async (asked, code, what) => {
      const { error } = await use('plain', asked);
      expect(error).toMatchObject({
        name: 'HoldfastError',
        code,
        message: expect.stringContaining(what) as string,
      });
      expect(seen).toEqual([]);
      expect(audited).toMatchObject([{ mode: 'inject', outcome: code }]);
    },
  );

  test('whose body turns out to be too large is ended, and the service does not take it for whole', async () => {
    const isWhole = new Promise((resolve) => {
      server.once('request', (request) => request.on('close', () => resolve(request.complete)));
    });
    const { error } = await use('large', { label: 'large' });
    expect(error).toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    expect([await isWhole, seen]).toEqual([false, []]);
    const known = await use('large', { label: 'large', init: {} });
    expect(known.error).toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  });

  test('waits with its body in the thread while others of it have as much under way as it may have', async () => {
    const open: ServerResponse[] = [];
    answer = ({ url }, response) => void (url === '/v1/dropped' ? open.push(response) : response.end());
    const many = use<number[]>('many', { url: `${origin}/v1/dropped`, n: 18, bytes: 8_000_000 });
    await expect.poll(() => open.length, { timeout: 20_000 }).toBe(16);
    // What is small waits for nobody, and whoever was to be seen is seen by then.
    const small = { url: `${origin}/v1/small`, init: { method: 'POST', body: 'x' } };
    const other = await runtime.spawn('user', { id: 'b' });
    await other.ask({ type: 'use', way: 'plain', ...small }, { timeoutMs: 20_000 });
    expect(open).toHaveLength(16);
    for (const response of open.splice(0, 2)) response.end();
    await expect.poll(() => open.length, { timeout: 20_000 }).toBe(16);
    for (const response of open.splice(0)) response.end();
    expect(await many).toEqual(Array(18).fill(200));
  });

  test('that comes to nothing is a TypeError, as of a fetch, and says why', async () => {
    const { error } = await use('plain', { label: 'elsewhere', url: 'http://127.0.0.1:1/' });
    expect(error).toMatchObject({
      name: 'TypeError',
      message: 'fetch failed',
      cause: { code: 'FETCH_FAILED' },
    });
  });

  test('whose connection was closed before an answer is sent once more when it changes nothing', async () => {
    answer = (_, response) => void (seen.length === 1 ? response.destroy() : response.end('here'));
    expect(await use('plain')).toMatchObject({ text: 'here' });
    expect(seen).toHaveLength(2);
    seen.length = 0;
    const { error } = await use('plain', { init: { method: 'POST', body: 'x' } });
    expect(error).toMatchObject({
      name: 'TypeError',
      message: 'fetch failed',
      cause: { code: 'FETCH_FAILED' },
    });
    expect(seen).toHaveLength(1);
  });

  test('above the rate of its grant is answered 429, with the time to wait', async () => {
    answer = echo;
    expect(await use('plain', { label: 'rated' })).toMatchObject({ status: 200 });
    const limited = await use('plain', { label: 'rated' });
    expect(limited).toMatchObject({ status: 429, url: `${origin}/v1/x` });
    expect(Number(limited.headers['retry-after-ms'])).toBeGreaterThan(1000);
    expect(Number(limited.headers['retry-after'])).toBeLessThanOrEqual(3600);
    expect(JSON.parse(limited.text)).toMatchObject({ error: { code: 'SECRET_RATE_LIMITED' } });
    expect(seen).toHaveLength(1);
  });
});

describe('an answer', () => {
  test.each([204, 205, 304])('with the status %i has no body', async (status) => {
    answer = (_, response) => void response.writeHead(status).end();
    expect(await use('plain')).toMatchObject({ status, isEmpty: true, text: '' });
  });

  test.each([205, 302, 307])(
    'with the status %i that nobody reads, and that has no end, gives its connection back',
    async (status) => {
      const closed = Promise.withResolvers<boolean>();
      answer = (_, response) => {
        response.on('close', () => closed.resolve(response.writableFinished));
        response.writeHead(status, { location: '/v1/y' }).write('and so on');
      };
      const { error } = await use('plain', { init: { redirect: 'error' } });
      expect(error?.cause?.code).toBe(status === 205 ? undefined : 'FETCH_FAILED');
      expect(await closed.promise).toBe(false);
    },
  );

  test('to HEAD has no body, whatever its length says', async () => {
    answer = (_, response) =>
      void response.writeHead(200, { 'content-length': '5', 'content-encoding': 'odd' }).end();
    expect(await use('plain', { init: { method: 'HEAD' } })).toMatchObject({ status: 200, isEmpty: true });
  });

  test('is a Response that can be cloned, described anew and read in any way', async () => {
    answer = (_, response) => void response.end(JSON.stringify({ key: canary }));
    const text = JSON.stringify({ key: REDACTED });
    expect(await use('response')).toEqual({
      isResponse: true,
      on: true,
      json: { key: REDACTED },
      clone: [`${origin}/v1/x`, text, text],
      again: ['mine', text],
    });
    expect(await use('byob')).toBe(text);
  });

  test('that is larger than what may be on its way at one time comes whole', async () => {
    const bytes = randomBytes(5_000_000);
    answer = (_, response) => void response.end(bytes);
    expect(await use('hash')).toBe(createHash('sha256').update(bytes).digest('hex'));
    await expect.poll(() => audited).toHaveLength(2);
    expect(audited[1]).toMatchObject({ outcome: 'ok', bytes: 5_000_000 });
    answer = (_, response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes));
    expect(await use('hash')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  test('has neither cookies nor the key in its status and headers', async () => {
    answer = (_, response) => {
      response
        .writeHead(418, `no ${canary}`, { 'set-cookie': 'a=b', 'x-echo': [`one ${canary}`, 'two'] })
        .end();
    };
    const { headers, ...rest } = await use('plain');
    expect(rest).toMatchObject({ status: 418, statusText: `no ${REDACTED}` });
    expect(headers['x-echo']).toBe(`one ${REDACTED}, two`);
    expect(headers['set-cookie']).toBeUndefined();
  });

  test('may be described in any script', async () => {
    answer = (_, response) => {
      response.socket?.end('HTTP/1.1 200 成功\r\ncontent-length: 4\r\n\r\nbody');
    };
    expect(await use('plain')).toMatchObject({ status: 200, statusText: '成功', text: 'body' });
  });

  test('whose headers are called by the key has none of that name', async () => {
    answer = (_, response) =>
      void response.writeHead(200, { 'x-canary-in-lower-case': 'a', 'x-b': 'canary-in-lower-case' }).end('b');
    const { headers, text } = await use('plain', { label: 'low' });
    expect(text).toBe('b');
    expect(Object.entries(headers).filter(([name]) => name.startsWith('x-'))).toEqual([['x-b', REDACTED]]);
  });

  const encodings = [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const;
  test.each(encodings.filter(([encoding]) => encodingsIn(encoding) !== undefined))(
    'in %s is decoded before the key is taken out',
    async (encoding, compress) => {
      const bytes = compress(`it is ${canary}.`);
      answer = (_, response) =>
        void response
          .writeHead(200, { 'content-encoding': encoding, 'content-length': bytes.length })
          .end(bytes);
      const { text, headers } = await use('plain');
      expect(text).toBe(`it is ${REDACTED}.`);
      expect([headers['content-encoding'], headers['content-length']]).toEqual([undefined, undefined]);
    },
  );

  test('in several encodings is decoded from the last one on', async () => {
    const bytes = brotliCompressSync(gzipSync(`it is ${canary}.`));
    answer = (_, response) =>
      void response.writeHead(200, { 'content-encoding': 'identity, gzip, BR' }).end(bytes);
    expect(await use('plain')).toMatchObject({ text: `it is ${REDACTED}.` });
  });

  test.each(['', 'identity', 'identity, identity'])(
    'with the encoding "%s" is as it is',
    async (encoding) => {
      answer = (_, response) => void response.writeHead(200, { 'content-encoding': encoding }).end(canary);
      expect(await use('plain')).toMatchObject({ text: REDACTED });
    },
  );

  test.each(['odd', 'gzip, odd', 'gzip, gzip, gzip, gzip, gzip'])(
    'in the encoding "%s", which nobody knows, is kept back',
    async (encoding) => {
      answer = (_, response) => void response.writeHead(200, { 'content-encoding': encoding }).end(canary);
      expect((await use('plain')).error).toMatchObject({ code: 'SECRET_DENIED' });
    },
  );

  test('that is no HTTP is said to be none', async () => {
    answer = (_, response) => void response.socket?.end('SSH-2.0-CANARY\r\n\r\n');
    const { error } = await use('plain');
    expect(error).toMatchObject({
      message: 'fetch failed',
      cause: { code: 'FETCH_FAILED', message: expect.stringMatching(/is no HTTP(?!.*SSH)/) as string },
    });
  });

  test.each([
    [
      'whose compressed bytes end too early',
      (response: ServerResponse) =>
        response
          .writeHead(200, { 'content-encoding': 'gzip' })
          .end(gzipSync('x'.repeat(1000)).subarray(0, 20)),
    ],
    [
      'whose connection breaks',
      (response: ServerResponse) => response.write('some', () => response.destroy()),
    ],
    [
      'with less than its length',
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-length': '100' }).write('some', () => response.destroy()),
    ],
  ])('%s is an error and no end', async (_, send) => {
    answer = (_, response) => void send(response);
    const { error } = await use('plain');
    expect(error).toMatchObject({
      name: 'TypeError',
      message: 'terminated',
      cause: { code: 'FETCH_FAILED' },
    });
    await expect.poll(() => audited).toHaveLength(2);
    expect(audited[1]).toMatchObject({ part: 'body', outcome: 'FETCH_FAILED' });
  });

  test('larger than the grant allows is cut off with an error', async () => {
    answer = (_, response) => void response.end('x'.repeat(11));
    expect((await use('plain', { label: 'small' })).error).toMatchObject({
      name: 'HoldfastError',
      code: 'MESSAGE_TOO_LARGE',
    });
    answer = (_, response) => void response.end('x'.repeat(10));
    expect(await use('plain', { label: 'small' })).toMatchObject({ text: 'x'.repeat(10) });
  });

  test.each([
    ['the answer', (response: ServerResponse) => void response, 'fetch failed', { idleTimeoutMs: 100 }],
    [
      'the rest of it',
      (response: ServerResponse) => response.write('some'),
      'terminated',
      { label: 'impatient' },
    ],
  ])('of a service that is silent for too long before %s is an error', async (_, send, message, asked) => {
    answer = (_, response) => void send(response);
    const { error } = await use('plain', asked);
    expect(error).toMatchObject({
      name: 'TypeError',
      message,
      cause: { code: 'FETCH_FAILED', message: expect.stringContaining('idleTimeoutMs') as string },
    });
  });
});

describe('a redirect', () => {
  const to =
    (status: number, location: string): typeof answer =>
    ({ url }, response) =>
      void (url === '/v1/x' ? response.writeHead(status, { location }).end('moved') : response.end('here'));

  test('of a GET is followed on the same origin, and said to be', async () => {
    answer = to(302, '/v1/y#part');
    expect(await use('plain')).toMatchObject({ text: 'here', url: `${origin}/v1/y`, redirected: true });
  });

  test.each([
    ['elsewhere', 302, 'https://elsewhere.test/', {}],
    ['of a POST', 307, '/v1/y', { method: 'POST', body: 'x' }],
    ['that the agent follows itself', 302, '/v1/y', { redirect: 'manual' }],
  ])('%s is the answer', async (_, status, location, init) => {
    answer = to(status, location);
    expect(await use('plain', { init })).toMatchObject({
      status,
      headers: { location },
      text: 'moved',
      redirected: false,
    });
  });

  test('is an error where the agent will not have one', async () => {
    answer = to(302, '/v1/y');
    const { error } = await use('plain', { init: { redirect: 'error' } });
    expect(error).toMatchObject({ name: 'TypeError', cause: { code: 'FETCH_FAILED' } });
    expect(seen).toHaveLength(1);
  });
});

describe('an abort', () => {
  test('rejects with the reason of the signal, whatever it waits for', async () => {
    const closed: Promise<unknown>[] = [];
    answer = ({ url }, response) => {
      closed.push(once(response, 'close'));
      if (!url.endsWith('silent')) response.write('some');
    };
    expect(await use('aborted')).toEqual([
      'early',
      'before the answer',
      'in the body',
      'in the body',
      ['while its own body is read', true],
    ]);
    await expect.poll(() => audited.filter(({ outcome }) => outcome === 'cancelled')).toHaveLength(2);
    await Promise.all(closed);
  });

  test('of the reader ends the connection, and is an outcome of its own', async () => {
    const closed = Promise.withResolvers<void>();
    answer = (_, response) => {
      response.on('close', () => closed.resolve()).write('some');
    };
    expect(await use('cancelled')).toBe('cancelled');
    await closed.promise;
    await expect.poll(() => audited).toHaveLength(2);
    expect(audited).toMatchObject([
      { part: 'head', status: 200 },
      { part: 'body', outcome: 'cancelled', bytes: 4 },
    ]);
  });
});

describe('a secret that has rotated', () => {
  test('is used for the same request once more after a 401, and the first answer is not shown', async () => {
    answer = ({ headers }, response) =>
      void response.writeHead(headers.authorization === `Bearer ${canary}` ? 401 : 200).end('answer');
    await use('plain');
    provider.set('prod/key', 'v2', 'the-value-after-that');
    seen.length = 0;
    audited.length = 0;
    expect(await use('plain', { init: { method: 'POST', body: '{"a":1}' } })).toMatchObject({ status: 200 });
    expect(seen.map(({ headers, body }) => [headers.authorization, body.toString()])).toEqual([
      [`Bearer ${canary}`, '{"a":1}'],
      ['Bearer the-value-after-that', '{"a":1}'],
    ]);
    expect(audited[0]).toMatchObject({ part: 'head', status: 200, versionId: 'v2' });
  });

  test('is not used for a body that is gone, whose 401 is the answer; the next request has it', async () => {
    answer = ({ headers }, response) =>
      void response.writeHead(headers.authorization === 'Bearer the-third-value' ? 200 : 401).end('answer');
    provider.set('prod/key', 'v3', 'the-third-value');
    expect(await use('large')).toMatchObject({ status: 401, text: 'answer' });
    expect(seen).toHaveLength(1);
    await expect.poll(async () => (await use('plain')).status).toBe(200);
  });
});
