import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { face } from './fixtures/face.ts';
import { gateway } from './fixtures/gateway.ts';

const origin = 'https://app.example.com';

async function opened(config: object = { cors: { origins: [origin, 'http://localhost:5173'] } }) {
  const open = await face(config);
  onTestFinished(() => open.close());
  return open;
}

test('pages of the origins of the config may read answers and errors, and no others', async () => {
  const { app, headers } = await opened();
  for (const [path, status] of [
    ['/v1/agents', 200],
    ['/v1/agents/counter/none/snapshot', 404],
    ['/v1/nothing', 404],
  ] as const) {
    const response = await app.request(path, { headers: { ...headers, origin } });
    expect(response.status).toBe(status);
    expect(response.headers.get('access-control-allow-origin')).toBe(origin);
    expect(response.headers.get('access-control-expose-headers')).toContain('Idempotent-Replayed');
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    expect(response.headers.get('vary')).toMatch(/origin/i);
    expect(response.headers.get('content-type')).toBe('application/json');
  }
  const unknown = await app.request('/v1/agents', { headers: { origin } });
  expect([unknown.status, unknown.headers.get('access-control-allow-origin')]).toEqual([401, origin]);
  for (const other of [
    'https://app.example.com.evil.example',
    'https://evil.example',
    'http://app.example.com',
    'https://APP.example.com',
    'https://app.example.com:8443',
    'null',
    '*',
  ]) {
    const response = await app.request('/v1/agents', { headers: { ...headers, origin: other } });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('vary')).toMatch(/origin/i);
  }
});

test('a preflight is answered without a token', async () => {
  const { app } = await opened();
  const preflight = (from: string) =>
    app.request('/v1/agents/counter/a/ask', {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,idempotency-key',
      },
    });
  const response = await preflight(origin);
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-origin')).toBe(origin);
  expect(response.headers.get('access-control-allow-methods')).toContain('POST');
  expect(response.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('authorization');
  expect(response.headers.get('vary')).toMatch(/origin/i);
  expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
});

test('without origins in the config no page may read anything', async () => {
  const { app, headers } = await opened({});
  const response = await app.request('/v1/agents', { headers: { ...headers, origin } });
  expect(response.headers.get('access-control-allow-origin')).toBeNull();
  const preflight = await app.request('/v1/agents', {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET' },
  });
  expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
});

test.each([
  ['PATCH', '/v1/agents', 405, 'GET, HEAD, OPTIONS'],
  ['GET', '/v1/agents/counter/a/ask', 405, 'POST, OPTIONS'],
  ['HEAD', '/v1/agents/counter/a/ask', 405, 'POST, OPTIONS'],
  ['POST', '/v1/agents/counter/a', 405, 'PUT, DELETE, OPTIONS'],
  ['DELETE', '/healthz', 405, 'GET, HEAD, OPTIONS'],
  ['OPTIONS', '/v1/agents/counter/a', 204, 'PUT, DELETE, OPTIONS'],
  ['OPTIONS', '/v1/agents/counter/a/stream', 204, 'GET, HEAD, OPTIONS'],
  ['HEAD', '/healthz', 200, null],
  ['HEAD', '/v1/agents', 200, null],
  ['OPTIONS', '/v1/nothing', 404, null],
  ['PATCH', '/v1/nothing', 404, null],
])('%s %s is %s, with what the path takes: %s', async (method, path, status, allow) => {
  const { app, headers } = await opened({});
  const response = await app.request(path, { method, headers });
  expect([response.status, response.headers.get('allow')]).toEqual([status, allow]);
  const text = await response.text();
  const code = text === '' ? undefined : (JSON.parse(text) as { error?: { code?: string } }).error?.code;
  const said = new Map([
    [404, 'NOT_FOUND'],
    [405, 'METHOD_NOT_ALLOWED'],
  ]);
  expect(code).toBe(method === 'HEAD' ? undefined : said.get(status));
});

test('the same over a socket, with methods that no client library sends', async () => {
  const { front } = await gateway({ gateway: { port: 0, reload: false, cors: { origins: [origin] } } });
  const ask = (method: string, path: string) =>
    new Promise<{ status: number | undefined; allow: string | undefined; origin: string | undefined }>(
      (resolve, reject) => {
        request(front.url + path, { method, headers: { origin } }, (response) => {
          response.resume().once('end', () => {
            const { allow, 'access-control-allow-origin': allowed } = response.headers;
            resolve({ status: response.statusCode, allow, origin: allowed });
          });
        })
          .once('error', reject)
          .end();
      },
    );
  expect(await ask('OPTIONS', '/healthz')).toMatchObject({ status: 204, allow: 'GET, HEAD, OPTIONS' });
  expect(await ask('HEAD', '/healthz')).toMatchObject({ status: 200, origin });
  expect(await ask('PROPFIND', '/v1/agents')).toMatchObject({ status: 405, allow: 'GET, HEAD, OPTIONS' });
});

test.each([' ', '  ', '\t', ' \t '])('a token may follow Bearer after any white space: %j', async (space) => {
  const { app, headers } = await opened({});
  const authorization = headers.authorization.replace(' ', space);
  expect((await app.request('/v1/agents', { headers: { authorization } })).status).toBe(200);
});
