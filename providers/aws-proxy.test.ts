import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { testCertificate } from '../runtime/secrets/fixtures/test-certificate.ts';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from './emulator/secrets-manager-emulator.ts';
import { createAwsSecretsManagerProvider } from './aws-secrets-manager.ts';

let emulator: SecretsManagerEmulator;
let proxy: Server;
let proxyUrl: string;
/** What the proxy was asked for. */
let asked: string[];
const { signal } = new AbortController();

let service: TlsServer;
/** Whether the proxy opens tunnels: to the service, whatever the host. */
let isOpen: boolean;

const portOf = (server: Server | TlsServer): number => (server.address() as AddressInfo).port;

// A proxy that passes what is not encrypted on to the emulator, whatever the host.
beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
  const { hostname: host, port } = new URL(emulator.url);
  const passOn: RequestListener = (from, to) => {
    const url = new URL(String(from.url), emulator.url);
    const { method, headers } = from;
    const on = request({ host, port, path: url.pathname + url.search, method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(to);
    });
    from.pipe(on);
  };
  service = createTlsServer(testCertificate, passOn).listen(0, '127.0.0.1');
  await once(service, 'listening');
  proxy = createServer((from, to) => {
    asked.push(`${from.method} ${new URL(String(from.url)).origin}`);
    passOn(from, to);
  });
  proxy.on('connect', ({ url, headers }, socket) => {
    asked.push(['CONNECT', url, headers['proxy-authorization']].filter(Boolean).join(' '));
    if (!isOpen) return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const tunnel = connect(portOf(service), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(tunnel).pipe(socket);
    });
    return socket.on('error', () => tunnel.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  proxyUrl = `http://127.0.0.1:${portOf(proxy)}`;
});
beforeEach(() => {
  asked = [];
  isOpen = false;
  emulator.reset();
  emulator.put('a', 'value');
  for (const name of Object.keys(process.env)) if (/^AWS_|_proxy$/i.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  for (const server of [proxy, service]) server.close().closeAllConnections();
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

test('a tunnel that the proxy opens, to who has a name and a password, leads to the service', async () => {
  isOpen = true;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-proxy-'));
  const certificate = join(folder, 'ca.pem');
  writeFileSync(certificate, testCertificate.cert);
  // What is trusted besides is read when a process starts.
  const program = `
    const { createAwsSecretsManagerProvider } = await import('./providers/aws-secrets-manager.ts');
    const provider = createAwsSecretsManagerProvider({ region: 'eu-west-1', endpoint: 'https://api.example.test' });
    const { bytes } = await provider.fetch({ provider: 'default', id: 'a' }, {}, new AbortController().signal);
    console.log(new TextDecoder().decode(bytes));
    await provider.close();`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-C', 'holdfast-source', '--input-type=module', '-e', program],
    {
      cwd: fileURLToPath(new URL('../', import.meta.url)),
      timeout: 60_000,
      env: {
        PATH: process.env['PATH'],
        NODE_EXTRA_CA_CERTS: certificate,
        HTTPS_PROXY: proxyUrl.replace('//', '//desk:p%40ss@'),
        AWS_ACCESS_KEY_ID: emulator.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: emulator.credentials.secretAccessKey,
      },
    },
  );
  expect(stdout).toBe('value\n');
  expect(asked).toEqual([
    `CONNECT api.example.test:443 Basic ${Buffer.from('desk:p@ss').toString('base64')}`,
  ]);
  rmSync(folder, { recursive: true });
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
  await vi.waitFor(() => expect(asked).toEqual(['POST http://sqs.example']), { timeout: 60_000 });
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
