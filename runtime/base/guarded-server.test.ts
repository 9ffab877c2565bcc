import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Server as NetServer } from 'node:net';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { type Guarded, httpServer, listening, netServer } from './guarded-server.ts';

function failures() {
  const told: string[] = [];
  const failed = (error: unknown, what: string): void => void told.push(`${what}: ${String(error)}`);
  return { told, failed };
}

async function open(server: Guarded<NetServer>): Promise<number> {
  await listening(server, (done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function statusOf(port: number, path: string, headers: Record<string, string> = {}): Promise<number> {
  const asked = request({ port, host: '127.0.0.1', path, headers, agent: false });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode ?? 0;
}

const upgrade = { Connection: 'Upgrade', Upgrade: 'x' };

test('a listener that throws or rejects costs its own connection, is told once, and the server goes on', async () => {
  const { told, failed } = failures();
  const server = httpServer(
    {},
    {
      request({ url }, response) {
        if (url === '/throws') throw new TypeError('no such thing');
        if (url === '/rejects') return Promise.reject(new RangeError('too much'));
        response.write('begun');
        if (url === '/late') throw new SyntaxError('half out');
        return void response.end();
      },
      upgrade() {
        throw new TypeError('no such upgrade');
      },
    },
    failed,
  );
  const port = await open(server);
  for (let n = 0; n < 3; n += 1) {
    expect(await statusOf(port, '/throws')).toBe(500);
    expect(await statusOf(port, '/rejects')).toBe(500);
    await expect(statusOf(port, '/', upgrade)).rejects.toThrow('socket hang up');
  }
  expect(await statusOf(port, '/')).toBe(200);
  await expect(statusOf(port, '/late')).rejects.toThrow('socket hang up');
  expect(told).toEqual([
    'a request: TypeError: no such thing',
    'a request: RangeError: too much',
    'an upgrade: TypeError: no such upgrade',
    'a request: SyntaxError: half out',
  ]);
});

test('an error of a socket, an answer or a server that listens has a listener at every moment', async () => {
  const { told, failed } = failures();
  let broken = 0;
  const breaks = (stream: { emit(type: 'error', error: Error): boolean }): void => {
    for (let n = 0; n < 3; n += 1) broken += stream.emit('error', new Error('reset')) ? 1 : 0;
  };
  const http = httpServer(
    {},
    {
      request(incoming, response) {
        for (const stream of [incoming, response]) breaks(stream);
        response.end();
      },
      upgrade(_request, socket) {
        breaks(socket);
        socket.destroy();
      },
    },
    failed,
  );
  const port = await open(http);
  expect(await statusOf(port, '/')).toBe(200);
  await expect(statusOf(port, '/', upgrade)).rejects.toThrow('socket hang up');
  const net = netServer({}, (socket) => (breaks(socket), socket.destroy()), failed);
  const socket = connect(await open(net), '127.0.0.1');
  await once(
    socket.on('error', () => {}),
    'close',
  );
  // As accepting does when the system has nothing left for one more.
  for (const server of [http, net]) breaks(server);
  expect(broken).toBe(18);
  expect(told).toEqual(['accepting connections: Error: reset', 'accepting connections: Error: reset']);
});

test('a server that cannot listen says so to who started it, and to nobody else', async () => {
  const { told, failed } = failures();
  const port = await open(netServer({}, () => {}, failed));
  const second = netServer({}, () => {}, failed);
  const start = listening(second, (done) => second.listen(port, '127.0.0.1', done));
  await expect(start).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(told).toEqual([]);
});

test('who logs a failure may fail too', async () => {
  const server = httpServer(
    {},
    {
      request() {
        throw new Error('no');
      },
    },
    () => {
      throw new Error('the log is full');
    },
  );
  const port = await open(server);
  expect(await statusOf(port, '/')).toBe(500);
  expect(await statusOf(port, '/')).toBe(500);
});

test('no other file of the runtime makes a server', async () => {
  const folder = fileURLToPath(new URL('../', import.meta.url));
  const files = await readdir(folder, { recursive: true });
  const sources = files.filter((name) => name.endsWith('.ts') && !/\.test\.ts$|fixtures|^testing/.test(name));
  expect(sources.length).toBeGreaterThan(200);
  const makers: string[] = [];
  for (const name of sources) {
    if (/\bcreate\w*Server\b/.test(await readFile(`${folder}/${name}`, 'utf8'))) makers.push(name);
  }
  expect(makers).toEqual(['base/guarded-server.ts']);
});

test('a server loads nothing of Node’s own fetch', async () => {
  const file = new URL('guarded-server.ts', import.meta.url).href;
  const code = `const { httpServer, listening } = await import(${JSON.stringify(file)});
    const server = httpServer({}, { request() {} }, () => {});
    await listening(server, (done) => server.listen(0, '127.0.0.1', done));
    server.close();
    const loaded = process.moduleLoadList.map((name) => name.replace('NativeModule ', ''));
    console.log(loaded.filter((name) => name === '_http_server' || name.includes('undici')).join());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
  expect(stdout.trim()).toBe('_http_server');
});
