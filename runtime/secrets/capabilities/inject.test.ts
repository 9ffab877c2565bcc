import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { posix } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { InjectRules } from '../../config/resolve.ts';
import type { HoldfastError } from '../../base/errors.ts';
import { escapers, packers, type Encoder } from '../fixtures/encoders.ts';
import { startService, type Answer, type Service } from '../fixtures/echo-service.ts';
import { testCertificate } from '../fixtures/test-certificate.ts';
import { acceptedEncodings } from './decoded-body.ts';
import type { FetchAnswer } from './fetch-answer.ts';
import { createInjector } from './inject.ts';
import type { LookupAll, RouteOptions } from './route.ts';
import { isAllowedUrl, type FetchRequest } from './inject-request.ts';

const canary = 'CANARY/5b+e7=key of the service';
const REDACTED = '<redacted:secret>';

const rules = (origin: string, extra: Partial<InjectRules> = {}): InjectRules => ({
  origins: [origin],
  methods: ['GET'],
  paths: ['/*'],
  header: 'Authorization',
  format: 'Bearer {}',
  privateAddresses: [],
  maxResponseBytes: 1_048_576,
  maxRequestBytes: 1_048_576,
  maxStreamBytes: 1_048_576,
  idleTimeoutMs: 30_000,
  ...extra,
});

interface Sending {
  readonly rules?: InjectRules;
  readonly value?: string;
  readonly signal?: AbortSignal;
}

function injector(options: Partial<RouteOptions> = {}) {
  const made = createInjector({ now: () => 0, ...options });
  onTestFinished(() => made.close());
  return async (
    service: Service,
    request: Partial<FetchRequest> = {},
    sending: Sending = {},
  ): Promise<FetchAnswer> => {
    const used = sending.rules ?? rules(service.origin);
    const checked = made.check({ url: `${service.origin}/`, ...request }, used);
    const bytes = Buffer.from(sending.value ?? canary);
    const answer = await made
      .send(checked, used, { versionId: 'v1', bytes }, sending.signal ?? new AbortController().signal)
      .finally(() => expect(bytes.every((byte) => byte === 0)).toBe(true));
    expect(JSON.stringify(answer)).not.toContain(sending.value ?? canary);
    return answer;
  };
}

/** As the most careless of servers: decodes until nothing is left, backslashes are slashes, parameters are dropped. */
function readLiberally(path: string): string {
  let read = path;
  for (let before = ''; before !== read;) {
    before = read;
    read = read
      .replaceAll(/%(?:c0%|e0%80%|f0%80%80%)([0-9a-f]{2})/gi, '%$1')
      .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16) & 0x7f),
      );
  }
  const segments = read.replaceAll('\\', '/').replace(/\0.*$/s, '').split('/');
  return posix.normalize(segments.map((segment) => segment.replace(/;.*$/s, '')).join('/'));
}

/** The error, with nothing of the value in it. */
async function refused(promise: Promise<unknown>): Promise<HoldfastError> {
  const error = await promise.then(
    () => expect.unreachable('it should have been refused'),
    (thrown: unknown) => thrown as HoldfastError,
  );
  const all = `${error.stack} ${String(error.cause)} ${JSON.stringify(error)}`;
  expect(all).not.toContain(canary);
  expect(all).not.toContain('Bearer');
  return error;
}

describe('a request', () => {
  test('carries the secret where the grant has it, and what the agent wrote', async () => {
    const service = await startService();
    const send = injector();
    const used = rules(service.origin, { methods: ['POST'], header: 'X-Api-Key', format: 'key={};v=1' });
    const answer = await send(
      service,
      {
        url: `${service.origin}/v1/x?q=1#part`,
        method: 'POST',
        headers: { Accept: 'text/plain' },
        body: { a: 1 },
      },
      { rules: used, value: 'héé-ünïcode-key' },
    );
    expect(answer).toMatchObject({ status: 200, body: 'fine' });
    const [seen] = service.received;
    expect(seen).toMatchObject({ method: 'POST', url: '/v1/x?q=1', body: '{"a":1}' });
    expect(seen?.headers).toMatchObject({ accept: 'text/plain', 'content-type': 'application/json' });
    expect(Buffer.from(String(seen?.headers['x-api-key']), 'latin1').toString()).toBe(
      'key=héé-ünïcode-key;v=1',
    );
  });

  test('takes text, bytes and JSON, and gives text or bytes', async () => {
    const service = await startService(({ body }, response) => void response.end(`got ${body}`));
    const send = injector();
    const used = rules(service.origin, { methods: ['PUT'] });
    const put = (body: unknown, as?: 'bytes') =>
      send(service, { method: 'PUT', body, ...(as && { as }) }, { rules: used });
    expect((await put('tëxt')).body).toBe('got tëxt');
    expect((await put(new TextEncoder().encode('bytes'))).body).toBe('got bytes');
    expect((await put([1, null])).body).toBe('got [1,null]');
    const { body } = await put('x', 'bytes');
    expect(body).toEqual(new TextEncoder().encode('got x'));
    expect((body as Uint8Array).buffer.byteLength).toBe(5);
  });

  test('goes over https only to who proves to be the host', async () => {
    const service = await startService(undefined, 'https');
    const used = rules(service.origin, { privateAddresses: ['127.0.0.1'] });
    expect(await refused(injector()(service, {}, { rules: used }))).toMatchObject({ code: 'FETCH_FAILED' });
    expect(service.received).toEqual([]);
    const trusting = injector({ ca: testCertificate.cert });
    expect(await trusting(service, {}, { rules: used })).toMatchObject({ status: 200 });
    // The certificate is not for that name.
    const lookup: LookupAll = (_host, _options, callback) =>
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    const other = `https://other.example.test:${service.port}`;
    const elsewhere = injector({ ca: testCertificate.cert, lookup })(
      { ...service, origin: other },
      {},
      { rules: rules(other, { privateAddresses: ['127.0.0.1'] }) },
    );
    expect((await refused(elsewhere)).message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(service.received).toHaveLength(1);
  });
});

describe('what a grant does not allow is not sent', () => {
  const used = rules('https://api.example.test', { methods: ['GET', 'POST'], paths: ['/v1/*', '/health'] });
  const check = (request: unknown): unknown => {
    const made = createInjector({ now: () => 0 });
    try {
      return made.check(request, used);
    } catch (error) {
      return (error as HoldfastError).code;
    }
  };
  const url = 'https://api.example.test/v1/x';

  test.each([
    url,
    'https://API.example.test:443/v1/x',
    'https://api.example.test/health',
    'https://api.example.test/v1/a/../b',
    'https://api.example.test/v1/',
    'https://api.example.test/v1/%7Euser?x=../..',
  ])('%s is allowed', (allowed) => {
    expect(check({ url: allowed })).toMatchObject({ method: 'GET' });
  });

  test.each([
    ['another host', 'https://api.example.test.evil.test/v1/x'],
    ['a host below', 'https://x.api.example.test/v1/x'],
    ['a host above', 'https://example.test/v1/x'],
    ['a dot at the end', 'https://api.example.test./v1/x'],
    ['another port', 'https://api.example.test:8443/v1/x'],
    ['plain http', 'http://api.example.test/v1/x'],
    ['http at the port of https', 'http://api.example.test:443/v1/x'],
    ['another scheme', 'ftp://api.example.test/v1/x'],
    ['a file', 'file:///v1/x'],
    ['a user name', 'https://user@api.example.test/v1/x'],
    ['a password', 'https://:pass@api.example.test/v1/x'],
    ['the host as a user name', 'https://api.example.test@evil.test/v1/x'],
    ['a backslash', 'https://evil.test\\@api.example.test/v1/x'],
    ['a line break', 'https://api.example.test/v1/x\r\nX-Evil: 1'],
    ['a tab', 'https://api.exam\tple.test/v1/x'],
    ['a space', ' https://api.example.test/v1/x'],
    ['no scheme', '//api.example.test/v1/x'],
    ['a path alone', '/v1/x'],
    ['nothing', ''],
    ['a very long one', `https://api.example.test/v1/${'x'.repeat(9000)}`],
    ['another path', 'https://api.example.test/v2/x'],
    ['the path without its end', 'https://api.example.test/v1'],
    ['below an exact path', 'https://api.example.test/health/x'],
    ['dots', 'https://api.example.test/v1/../v2'],
    ['encoded dots', 'https://api.example.test/v1/%2e%2e/v2'],
    ['half encoded dots', 'https://api.example.test/v1/.%2E/v2'],
    ['dots and an encoded slash', 'https://api.example.test/v1/..%2fv2'],
    ['an encoded slash', 'https://api.example.test/v1/%2Fv2'],
    ['an encoded backslash', 'https://api.example.test/v1/..%5cv2'],
    ['dots that are encoded twice', 'https://api.example.test/v1/%252e%252e%252fv2'],
    ['an encoded parameter', 'https://api.example.test/v1/..%3b/v2'],
    ['an overlong dot', 'https://api.example.test/v1/%c0%ae%c0%ae/v2'],
    ['an encoded end', 'https://api.example.test/v1/x%00'],
    ['dots with a parameter', 'https://api.example.test/v1/..;/v2'],
    ['an encoded letter of the path', 'https://api.example.test/%76%31/x'],
  ])('to %s', (_, wrong) => {
    expect(check({ url: wrong })).toBe('SECRET_DENIED');
  });

  test.each([
    'Authorization',
    'authorization',
    'AUTHORIZATION',
    'Host',
    'Connection',
    'Content-Length',
    'Transfer-Encoding',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Keep-Alive',
    'Proxy-Authorization',
    'Cookie',
    'Accept-Encoding',
    'Range',
    'X-HTTP-Method-Override',
    'X-Original-URL',
    // What a proxy tells a server, and a server may believe: another method, path, host or user.
    'X-Envoy-Original-Path',
    'X-Forwarded-Uri',
    'X-Forwarded-Prefix',
    'X-Forwarded-Host',
    'X-Forwarded-Method',
    'X-Forwarded-User',
    'Forwarded',
    'Remote-User',
    'X-Remote-User',
    'X-WebAuth-User',
    'X-Appengine-User-Email',
    'Impersonate-Group',
    'As-User',
    'Sudo',
    'X-HTTP-Method',
    'X-Method',
    'X-HTTP-Verb',
    'X-Matched-Path',
    'X-Invoke-Path',
    'X-Middleware-Subrequest',
    'X-Script-Name',
    'Request-Uri',
    'X-Host',
    'X-Real-IP',
    'True-Client-IP',
    'X-Amz-Copy-Source',
    'X-Ms-Rename-Source',
    'A-IM',
    'X-Forward-For',
    'X-Forwarder-For',
    'X-HTTP-MethodOverride',
    'X-RestLi-Method',
    'Access-Control-Request-Method',
    'X-HTTP-DestinationURL',
    'X-Proxy-Url',
    'X-Custom-IP-Authorization',
    'X-TrueIP',
    'X-SSL-Client-S-DN',
    'X-Client-Cert',
    'X-Consumer-Custom-Id',
    'X-Ms-Client-Principal-Id',
    'X-Auth-Request-Email',
    'Dropbox-API-Select-User',
    // The same with another sign for the dash, as gateways to CGI read it.
    'X_Authorization',
    'X-Authorization',
    'HTTP_AUTHORIZATION',
    'Content_Length',
    'Transfer_Encoding',
    'Accept.Encoding',
    'x_forwarded_host',
    'Remote~User',
    ':authority',
    '',
    'a b',
    'a\r\nb',
    'é',
  ])('with the header %j', (name) => {
    expect(check({ url, headers: { [name]: 'x' } })).toBe('SECRET_DENIED');
  });

  test.each([
    'Accept',
    'User-Agent',
    'X-Amz-User-Agent',
    'Content-Type',
    'Idempotency-Key',
    'anthropic-version',
    'OpenAI-Organization',
    'X-GitHub-Api-Version',
    'X-Goog-User-Project',
    'X-Goog-Upload-Protocol',
    'X-Request-Id',
    'traceparent',
    'If-None-Match',
    'X-Shopify-Shop-Domain',
    'X_Trace',
    'X-Stainless-Helper-Method',
    'X-Client-Version',
    'X-CSRF-Token',
    'X-Requested-With',
    'X-Amzn-Trace-Id',
    'Stripe-Account',
    'X-Auth-Email',
    'Prefer',
    'Referer',
    'Origin',
  ])('the header %j is for the agent to set', (name) => {
    expect(check({ url, headers: { [name]: 'x' } })).toMatchObject({
      headers: { [name.toLowerCase()]: 'x' },
    });
  });

  test.each([
    { headers: { 'x-trace-id': '1', x_trace_id: '2' } },
    { headers: { 'x-a': 'b\r\nAuthorization: other' } },
    { headers: { 'x-a': 'b\nc' } },
    { headers: { 'x-a': 'b\0' } },
    { headers: { 'x-a': 1 } },
    { headers: { 'x-a': '\u{1F600}' } },
    { headers: { 'x-a': '1', 'X-A': '2' } },
    { headers: [['x-a', 'b']] },
    { headers: 'x-a: b' },
    { headers: { 'x-a': 'x'.repeat(20_000) } },
    { method: 'DELETE' },
    { method: 'get' },
    { method: 'GET\r\n' },
    { method: 7 },
    { body: 'x' },
    { method: 'POST', body: () => {} },
    { method: 'POST', body: 1n },
    { as: 'stream' },
    { url: undefined },
    { url: new URL(url) },
  ])('with what is malformed (%#)', (request) => {
    expect(check({ url, ...request })).toBe('SECRET_DENIED');
  });

  test.each(['/v1/a/../../v2', '/v1/..', '/v1/./x', '/v1/a/.'])(
    'with a path in which its parser left dots: %s',
    (pathname) => {
      const { origin } = new URL(url);
      const left = (path: string): URL => ({ origin, pathname: path, username: '', password: '' }) as URL;
      expect(isAllowedUrl(left(pathname), used)).toBe(false);
      expect(isAllowedUrl(left('/v1/.x/..y'), used)).toBe(true);
    },
  );

  test('and nothing at all is no request', () => {
    for (const nothing of [undefined, null, 7, 'x', []]) expect(check(nothing)).toBe('SECRET_DENIED');
  });

  test('all that is wrong is said at once, and none of the rules', () => {
    const made = createInjector({ now: () => 0 });
    const wrong = { url: 'https://evil.test/', method: 'PATCH', headers: { host: 'x' }, as: 'x' };
    expect(() => made.check(wrong, used)).toThrow(/method.*"text".*header host|scheme.*method/);
    expect(() => made.check(wrong, used)).not.toThrow(/api\.example|v1|health/);
  });

  test('a body of more than 1 MiB is too large, in characters of more than one byte too', () => {
    expect(check({ url, method: 'POST', body: 'x'.repeat(1_048_576) })).toMatchObject({ method: 'POST' });
    expect(check({ url, method: 'POST', body: 'x'.repeat(1_048_577) })).toBe('MESSAGE_TOO_LARGE');
    expect(check({ url, method: 'POST', body: 'é'.repeat(524_289) })).toBe('MESSAGE_TOO_LARGE');
    expect(check({ url, method: 'POST', body: new Uint8Array(1_048_577) })).toBe('MESSAGE_TOO_LARGE');
    expect(check({ url, method: 'POST', body: { x: 'x'.repeat(1_048_576) } })).toBe('MESSAGE_TOO_LARGE');
  });

  test('a path that is let through stays below its prefix, however liberally a server reads it', () => {
    const pieces = String.raw`.. . / / / %2e %2E%2e %252e %2f %5C \ v1 v2 a ; %3b %253B %00 %c0%ae %C0%AF %e0%80%ae ? # %61 % ~`;
    const piece = fc.constantFrom(...pieces.split(' '));
    let allowed = 0;
    const path = fc.array(piece, { maxLength: 8 }).map((pieces) => `/v1/${pieces.join('')}`);
    fc.assert(
      fc.property(path, (path) => {
        const checked = check({ url: `https://api.example.test${path}` });
        if (typeof checked === 'string') return;
        allowed += 1;
        const { pathname } = (checked as { url: URL }).url;
        expect(readLiberally(pathname)).toMatch(/^\/v1\/|^\/health$/);
      }),
      { numRuns: 5000 },
    );
    expect(allowed).toBeGreaterThan(100);
  });

  test('with a whole host allowed, encoded slashes are the business of the service', () => {
    const made = createInjector({ now: () => 0 });
    const whole = rules('https://api.example.test');
    expect(made.check({ url: 'https://api.example.test/p/a%2Fb' }, whole).url.pathname).toBe('/p/a%2Fb');
  });

  test('a value that no header can hold is not sent, and the error does not show it', async () => {
    const service = await startService();
    const send = injector();
    for (const value of ['with a break\n', 'two\r\nlines: of it', '', 'nul\0byte']) {
      const sent = send(service, {}, { value }).catch((error: HoldfastError) => error);
      expect(await sent).toMatchObject({ code: 'SECRET_UNAVAILABLE' });
      expect(((await sent) as Error).message).not.toContain(value || '\n');
    }
    expect(service.received).toEqual([]);
  });
});

describe('addresses', () => {
  const looksUp = (...answers: string[][]): { lookup: LookupAll; asked: string[] } => {
    const asked: string[] = [];
    const lookup: LookupAll = (host, _options, callback) => {
      const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
      asked.push(host);
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    };
    return { lookup, asked };
  };
  const named = (service: Service): Service => ({
    ...service,
    origin: `https://api.example.test:${service.port}`,
  });

  test.each([
    [['127.0.0.1']],
    [['10.0.0.7']],
    [['169.254.169.254']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['8.8.8.8', '127.0.0.1']],
  ])('that are not public are not connected to: %j', async (addresses) => {
    const service = named(await startService(undefined, 'https'));
    const { lookup, asked } = looksUp(addresses);
    const error = await refused(injector({ lookup, ca: testCertificate.cert })(service));
    expect(error).toMatchObject({ code: 'SECRET_DENIED' });
    expect(error.message).toContain('privateAddresses');
    expect(asked).toEqual(['api.example.test']);
    expect(service.received).toEqual([]);
  });

  test('that are listed are', async () => {
    const service = named(await startService(undefined, 'https'));
    const used = rules(service.origin, { privateAddresses: ['127.0.0.0/8'] });
    const { lookup } = looksUp(['127.0.0.1']);
    const answer = await injector({ lookup, ca: testCertificate.cert })(service, {}, { rules: used });
    expect(answer.status).toBe(200);
    expect(service.received[0]?.headers.host).toBe(`api.example.test:${service.port}`);
  });

  test('written out need to be listed just as well', async () => {
    const service = await startService(undefined, 'https');
    const send = injector({ ca: testCertificate.cert });
    for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1']) {
      const { origin } = new URL(`https://${host}:${service.port}`);
      expect(await refused(send({ ...service, origin }))).toMatchObject({ code: 'SECRET_DENIED' });
    }
    expect(service.received).toEqual([]);
  });

  test('are looked up once a connection, and what was checked is what is used: rebinding comes too late', async () => {
    const answer: Answer = (_request, response) =>
      void response.writeHead(200, { connection: 'close' }).end();
    const service = named(await startService(answer, 'https'));
    const used = rules(service.origin, { privateAddresses: ['127.0.0.1'] });
    // Listed for who asks first, and another for whoever asks again.
    const { lookup, asked } = looksUp(['127.0.0.1'], ['10.0.0.7']);
    const send = injector({ lookup, ca: testCertificate.cert });
    expect(await send(service, {}, { rules: used })).toMatchObject({ status: 200 });
    expect(asked.length).toBe(1);
    expect(await refused(send(service, {}, { rules: used }))).toMatchObject({ code: 'SECRET_DENIED' });
    expect(asked.length).toBe(2);
    expect(service.received).toHaveLength(1);
  });

  test('of plain http are those of this machine, whatever a name leads to', async () => {
    const service = await startService();
    const origin = `http://localhost:${service.port}`;
    const { lookup } = looksUp(['10.0.0.1'], ['8.8.8.8'], ['127.0.0.1']);
    const send = injector({ lookup });
    for (const _ of ['10.0.0.1', '8.8.8.8']) {
      expect(await refused(send({ ...service, origin }))).toMatchObject({ code: 'SECRET_DENIED' });
    }
    expect(await send({ ...service, origin })).toMatchObject({ status: 200 });
    expect(service.received).toHaveLength(1);
  });

  test('that do not exist are no news of the secret', async () => {
    const lookup: LookupAll = (_host, _options, callback) =>
      callback(Object.assign(new Error('nowhere'), { code: 'ENOTFOUND' }), []);
    const service = named(await startService());
    expect((await refused(injector({ lookup })(service))).message).toContain('ENOTFOUND');
  });
});

describe('redirects', () => {
  const redirect =
    (to: (request: { url: string }) => string | undefined, status = 302): Answer =>
    (request, response) => {
      const location = to(request);
      if (location === undefined) response.end('arrived');
      else response.writeHead(status, { location }).end(`moved by ${status}`);
    };

  test('to another origin are answered and not followed, so that nobody else gets the secret', async () => {
    const other = await startService();
    const service = await startService(redirect(() => `${other.origin}/take`));
    const send = injector();
    const used = rules(service.origin);
    const both = { ...used, origins: [service.origin, other.origin] };
    for (const one of [used, both]) {
      expect(await send(service, {}, { rules: one })).toMatchObject({
        status: 302,
        headers: { location: `${other.origin}/take` },
      });
    }
    expect(other.received).toEqual([]);
  });

  test.each([
    '//evil.test/x',
    'https://127.0.0.1/x',
    'http://user@127.0.0.1/x',
    'javascript:alert(1)',
    'http://[',
  ])('to %s are not followed either', async (location) => {
    const service = await startService(redirect(() => location));
    expect(await injector()(service)).toMatchObject({ status: 302 });
    expect(service.received).toHaveLength(1);
  });

  test('within the origin are followed where the grant allows it, at most three', async () => {
    const next = new Map([
      ['/v1/a', '/v1/b'],
      ['/v1/b', '../v1/c?x=1'],
      ['/v1/loop', '/v1/loop'],
      ['/v1/out', '/v2/x'],
      ['/v1/dots', '/v1/%2e%2e/v2/x'],
    ]);
    const service = await startService(redirect(({ url }) => next.get(url), 307));
    const send = injector();
    const used = rules(service.origin, { paths: ['/v1/*'] });
    const get = (path: string) => send(service, { url: service.origin + path }, { rules: used });
    expect(await get('/v1/a')).toMatchObject({ status: 200, body: 'arrived' });
    expect(service.received.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ['/v1/a', `Bearer ${canary}`],
      ['/v1/b', `Bearer ${canary}`],
      ['/v1/c?x=1', `Bearer ${canary}`],
    ]);
    service.received.length = 0;
    expect(await get('/v1/loop')).toMatchObject({ status: 307 });
    expect(service.received).toHaveLength(4);
    service.received.length = 0;
    expect(await get('/v1/out')).toMatchObject({ status: 307, headers: { location: '/v2/x' } });
    expect(await get('/v1/dots')).toMatchObject({ status: 307 });
    expect(service.received).toHaveLength(2);
  });

  test('of a request with a body are answered: what it did is not done twice', async () => {
    const service = await startService(redirect(({ url }) => (url === '/' ? '/next' : undefined), 308));
    const used = rules(service.origin, { methods: ['POST', 'GET'] });
    expect(await injector()(service, { method: 'POST', body: 'x' }, { rules: used })).toMatchObject({
      status: 308,
    });
    expect(service.received).toHaveLength(1);
  });

  test('that name the secret do so without it', async () => {
    const service = await startService((request, response) => {
      const location = `https://evil.test/?k=${encodeURIComponent(String(request.headers.authorization))}`;
      response.writeHead(302, { location }).end();
    });
    expect((await injector()(service)).headers['location']).toBe(`https://evil.test/?k=Bearer%20${REDACTED}`);
  });
});

describe('an answer that echoes the secret comes without it', () => {
  const key = Buffer.from(canary);
  const forms: [string, string | Buffer][] = [
    ['as it is', canary],
    ['in the header that carried it', `authorization: Bearer ${canary}`],
    ['in base64', Buffer.from(`user:${canary}`).toString('base64')],
    ['in base64url', key.toString('base64url')],
    ['in hex', key.toString('hex')],
    ['in upper-case hex', key.toString('hex').toUpperCase()],
    ['percent-encoded', encodeURIComponent(canary)],
    ['in JSON with escapes', JSON.stringify({ key: canary }).replaceAll('/', '\\/')],
    [
      'among bytes that are no text',
      Buffer.concat([Buffer.from([0xff, 0xfe, 0x80]), key, Buffer.from([0xc3])]),
    ],
    ['many times', `${canary},${canary}${canary}`],
  ];

  test.each(forms)('%s, in the body', async (_, echoed) => {
    const service = await startService((_request, response) => void response.end(echoed));
    const send = injector();
    const text = await send(service);
    const bytes = await send(service, { as: 'bytes' });
    for (const found of [Buffer.from(text.body), Buffer.from(bytes.body)]) {
      expect(found.includes(REDACTED)).toBe(true);
      for (const form of [canary, key.toString('hex'), key.toString('base64').slice(4, -8)]) {
        expect(found.includes(form)).toBe(false);
      }
    }
  });

  const encoders = Object.entries({ ...escapers, ...packers });
  const read = (text: string, { decode }: Encoder): string => {
    try {
      return decode(text);
    } catch {
      return '';
    }
  };
  // Some write in lines.
  const border = '\n~~~\n';
  test.each(encoders)('written by %s, and that once more, in a header and in the body', async (_, outer) => {
    // Some leave out what their readers would need.
    const inners = encoders.filter(([, inner]) => {
      const whole = outer.encode(inner.encode(`Bearer ${canary}`));
      return read(read(whole, outer), inner) === `Bearer ${canary}`;
    });
    expect(inners.length).toBeGreaterThan(encoders.length / 2);
    const service = await startService((request, response) => {
      const sent = String(request.headers.authorization);
      response.setHeader('x-echo', outer.encode(sent).replaceAll('\n', ' '));
      response.end(inners.map(([, inner]) => `<${outer.encode(inner.encode(sent))}>`).join(border));
    });
    const { headers, body } = await injector()(service);
    expect(headers['x-echo']).toContain(REDACTED);
    const parts = String(body)
      .split(border)
      .map((part) => part.slice(1, -1));
    expect(parts.filter((part) => !part.includes(REDACTED))).toEqual([]);
    // Most readers find what another has found, too: a text is looked at and read on once.
    const all = new Set([headers['x-echo'] ?? '', ...parts]);
    let found = [...all];
    for (let times = 0; times < 2; times += 1) {
      const once = new Set(found.flatMap((text) => encoders.map(([, by]) => read(text, by))));
      found = [...once].filter((text) => !all.has(text));
      for (const text of found) all.add(text);
    }
    expect([...all].filter((text) => text.includes(canary.slice(8, -8)))).toEqual([]);
  });

  test('in its headers, without those that are called by it', async () => {
    const service = await startService((request, response) => {
      response.setHeader('x-echo', String(request.headers.authorization));
      response.setHeader('x-base64', [key.toString('base64'), 'other']);
      response.setHeader(`x-${key.toString('hex')}`, 'in the name');
      response.statusMessage = 'fine';
      response.end();
    });
    const { headers } = await injector()(service);
    expect(headers['x-echo']).toBe(`Bearer ${REDACTED}`);
    // What is left has two bits of the last byte.
    expect(headers['x-base64']).toMatch(/^<redacted:secret>.?==, other$/);
    expect(Object.values(headers)).not.toContain('in the name');
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('compressed with %s', async (encoding, compress) => {
    const service = await startService((_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(compress(`it is ${canary}.`));
    });
    const { body, headers } = await injector()(service);
    expect(body).toBe(`it is ${REDACTED}.`);
    expect(headers['content-encoding']).toBeUndefined();
    expect(service.received[0]?.headers['accept-encoding']).toBe(acceptedEncodings());
  });

  test('or not at all, where it is encoded in a way that nobody knows', async () => {
    const service = await startService((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'x-rot13' }).end(canary);
    });
    expect(await refused(injector()(service))).toMatchObject({ code: 'SECRET_DENIED' });
  });

  test('and an older version that it remembers is taken out, too', async () => {
    const service = await startService((_request, response) => void response.end(`before: ${canary}`));
    const send = injector();
    const used = rules(service.origin);
    await send(service, {}, { rules: used });
    const made = await send(service, {}, { rules: used, value: 'the version after it' });
    expect(made.body).toBe(`before: ${REDACTED}`);
  });

  test('and sets no cookie, which would serve in its place', async () => {
    const service = await startService((_request, response) => {
      response.writeHead(200, { 'set-cookie': ['session=1', 'b=2'], 'x-other': 'y' }).end();
    });
    const { headers } = await injector()(service);
    expect(headers).toMatchObject({ 'x-other': 'y' });
    expect(headers['set-cookie']).toBeUndefined();
  });
});

describe('limits', () => {
  test('an answer of more than the grant allows is refused, told or not, compressed or not', async () => {
    const bodies: [Record<string, string>, Buffer][] = [
      [{ 'content-length': '1001' }, Buffer.alloc(1001, 'x')],
      [{}, Buffer.alloc(100_000, 'x')],
      [{ 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(100_000, 'x'))],
    ];
    for (const [headers, body] of bodies) {
      const service = await startService(
        (_request, response) => void response.writeHead(200, headers).end(body),
      );
      const used = rules(service.origin, { maxResponseBytes: 1000 });
      expect(await refused(injector()(service, {}, { rules: used }))).toMatchObject({
        code: 'MESSAGE_TOO_LARGE',
      });
    }
    const service = await startService((_request, response) => void response.end(Buffer.alloc(1000, 'x')));
    const used = rules(service.origin, { maxResponseBytes: 1000 });
    expect((await injector()(service, {}, { rules: used })).body).toHaveLength(1000);
  });

  test('a service that never ends, or never begins, is left when the signal says so', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nslow'));
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const service = { port, origin: `http://127.0.0.1:${port}`, received: [] };
    const ending = new AbortController();
    const sent = refused(injector()(service, {}, { signal: ending.signal }));
    await expect.poll(() => sockets[0]?.bytesWritten ?? 0).toBeGreaterThan(0);
    ending.abort(new Error('the time is up'));
    expect(await sent).toMatchObject({ message: 'the time is up' });
    await expect.poll(() => sockets.every((socket) => socket.destroyed)).toBe(true);
  });

  test.each([
    ['ends the connection', (socket: Socket) => socket.destroy()],
    ['speaks no HTTP', (socket: Socket) => socket.end(`SSH-2.0 ${canary}\r\n`)],
    [
      'sends headers without end',
      (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}`),
    ],
    [
      'gives two lengths',
      (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'),
    ],
  ])('a service that %s is a failure that says nothing of what was sent', async (_, answer) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => answer(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const sent = injector()({ port, origin: `http://127.0.0.1:${port}`, received: [] });
    expect(await refused(sent)).toMatchObject({ code: 'FETCH_FAILED' });
  });

  test('a rate is that of the grant, and a request that is refused for another reason does not count', () => {
    let now = 0;
    const made = createInjector({ now: () => now });
    const used = rules('https://a.test', { rate: { requests: 2, withinMs: 1000 } });
    const url = 'https://a.test/';
    made.check({ url }, used);
    expect(() => made.check({ url: 'https://b.test/' }, used)).toThrow(/not sent/);
    made.check({ url }, used);
    now = 400;
    expect(() => made.check({ url }, used)).toThrow(
      expect.objectContaining({ code: 'SECRET_RATE_LIMITED', message: expect.stringContaining('600 ms') }),
    );
    made.check({ url }, rules('https://a.test', { rate: { requests: 1, withinMs: 1000 } }));
    now = 1000;
    made.check({ url }, used);
  });
});

test('a connection that one grant may have is not for another', async () => {
  const service = await startService(undefined, 'https');
  const send = injector({ ca: testCertificate.cert });
  const open = rules(service.origin, { privateAddresses: ['127.0.0.1'] });
  expect(await send(service, {}, { rules: open })).toMatchObject({ status: 200 });
  expect(await refused(send(service))).toMatchObject({ code: 'SECRET_DENIED' });
  expect(service.received).toHaveLength(1);
});
