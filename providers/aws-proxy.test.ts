import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from '../runtime/testing/secrets-manager-emulator.ts';
import { createAwsSecretsManagerProvider } from './aws-secrets-manager.ts';

let emulator: SecretsManagerEmulator;
let proxy: Server;
let proxyUrl: string;
/** What the proxy was asked for. */
let asked: string[];
const { signal } = new AbortController();

// A proxy that passes what is not encrypted on to the emulator, whatever the host, and opens no tunnel.
beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
  const { hostname: host, port } = new URL(emulator.url);
  proxy = createServer((from, to) => {
    const url = new URL(String(from.url));
    asked.push(`${from.method} ${url.origin}`);
    const { method, headers } = from;
    const on = request({ host, port, path: url.pathname + url.search, method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(to);
    });
    from.pipe(on);
  });
  proxy.on('connect', ({ url }, socket) => {
    asked.push(`CONNECT ${url}`);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
beforeEach(() => {
  asked = [];
  emulator.reset();
  emulator.put('a', 'value');
  for (const name of Object.keys(process.env)) if (/^AWS_|_proxy$/i.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await emulator.stop();
});

async function read(options: object, role?: string, isKnown = true): Promise<string> {
  const provider = createAwsSecretsManagerProvider(
    { region: 'eu-west-1', maxAttempts: 1, ...options },
    isKnown ? { credentials: emulator.credentials } : {},
  );
  const ref = { provider: 'default', id: 'a', ...(role !== undefined && { role }) };
  try {
    return new TextDecoder().decode((await provider.fetch(ref, {}, signal)).bytes);
  } catch (error) {
    return provider.classify(error);
  } finally {
    await provider.close?.();
  }
}

test('the client asks through the proxy of the environment', async () => {
  vi.stubEnv('HTTP_PROXY', proxyUrl);
  expect(await read({ endpoint: 'http://vpce.example' })).toBe('value');
  expect(asked).toEqual(['POST http://vpce.example']);
});

test('through a tunnel where the endpoint is https', async () => {
  vi.stubEnv('https_proxy', proxyUrl);
  expect(await read({})).toBe('transient');
  expect(asked).toEqual(['CONNECT secretsmanager.eu-west-1.amazonaws.com:443']);
});

test('STS is asked for a role the same way', async () => {
  vi.stubEnv('HTTP_PROXY', proxyUrl);
  const role = emulator.createRole('desk', { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } });
  expect(await read({ endpoint: 'http://vpce.example', stsEndpoint: 'http://sts.example' }, role)).toBe(
    'value',
  );
  expect(asked).toEqual(['POST http://sts.example', 'POST http://vpce.example']);
});

test('and so is SSO for the credentials of the host', async () => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-home-'));
  vi.stubEnv('HOME', home);
  vi.stubEnv('HTTPS_PROXY', proxyUrl);
  const start = 'https://desk.awsapps.example/start';
  mkdirSync(join(home, '.aws', 'sso', 'cache'), { recursive: true });
  const name = createHash('sha1').update(start).digest('hex');
  const token = { accessToken: 'token', expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
  writeFileSync(join(home, '.aws', 'sso', 'cache', `${name}.json`), JSON.stringify(token));
  const sso = `sso_start_url = ${start}\nsso_account_id = 1\nsso_region = eu-west-1\nsso_role_name = desk\n`;
  writeFileSync(join(home, '.aws', 'config'), `[default]\n${sso}`);
  await read({}, undefined, false);
  expect(new Set(asked)).toEqual(new Set(['CONNECT portal.sso.eu-west-1.amazonaws.com:443']));
  rmSync(home, { recursive: true, force: true });
});

test('the rotation queue is read through it too', async () => {
  vi.stubEnv('HTTP_PROXY', proxyUrl);
  const queue = emulator.createQueue('rotations');
  const rotationQueueUrl = queue.url.replace(emulator.url, 'http://sqs.example');
  const provider = createAwsSecretsManagerProvider(
    { region: 'eu-west-1', rotationQueueUrl },
    { credentials: emulator.credentials },
  );
  const stopping = new AbortController();
  const watching = provider.watch?.(() => {}, stopping.signal);
  await vi.waitFor(() => expect(asked).toEqual(['POST http://sqs.example']), { timeout: 10_000 });
  stopping.abort();
  await watching;
});

test('loopback is never asked through a proxy, nor what NO_PROXY names', async () => {
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']) vi.stubEnv(name, proxyUrl);
  expect(await read({ endpoint: emulator.url })).toBe('value');
  expect(await read({ endpoint: emulator.url.replace('127.0.0.1', 'localhost') })).toBe('value');
  vi.stubEnv('NO_PROXY', 'example');
  expect(await read({ endpoint: 'http://vpce.example', deadlineMs: 3_000 })).toBe('transient');
  expect(asked).toEqual([]);
});
