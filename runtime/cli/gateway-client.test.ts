import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createNetServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { isThisMachine } from '../gateway/direct-fetch.ts';
import { commandLine, deskFolder, run } from './fixtures/command.ts';
import { shell } from './fixtures/shell.ts';

const CANARY = 'canary-77e1-never-to-be-seen';

async function served(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const list = async (url: string, token = 'hf_token') => {
  const ran = await shell('/')(`agents list --url ${url}`, { env: { HOLDFAST_TOKEN: token } });
  expect(ran.out + ran.err).not.toContain(CANARY);
  return ran;
};

test.for([
  ['a page', 200, '<html>Welcome</html>'],
  ['nothing where there is to be something', 404, ''],
  ['an error of a proxy', 502, '<html>Bad Gateway</html>'],
  ['JSON of something else', 401, '{"message":"no"}'],
  ['JSON that is no object', 500, 'null'],
  ['an error without a text', 400, '{"error":{"code":7}}'],
  ['another address', 302, ''],
] as const)('%s is no answer of a gateway, and is said to be none', async ([, status, text]) => {
  const url = await served((_request, response) => {
    response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end(text);
  });
  expect(await list(url)).toMatchObject({
    code: 1,
    err: `the server at ${url} is not a Holdfast gateway (status ${status}); check the address, and any proxy on the way\n`,
  });
});

test('a token that no request can carry is told, and not printed or sent', async () => {
  let requests = 0;
  const url = await served((_request, response) => {
    requests += 1;
    response.end('{}');
  });
  for (const token of [`${CANARY}\n`, `${CANARY} x`, `\u0001${CANARY}`, `${CANARY}é`])
    expect(await list(url, token)).toMatchObject({
      code: 1,
      err: expect.stringContaining('HOLDFAST_TOKEN contains characters that no token has') as string,
    });
  expect(requests).toBe(0);
});

test('credentials in an address are refused, and not printed', async () => {
  expect(await list(`http://user:${CANARY}@127.0.0.1:1`)).toMatchObject({ code: 2 });
});

test('what the gateway says to those who speak HTTP is said in words of the command', async () => {
  const answers = new Map([
    ['NOT_FOUND', 'there is no instance a/b; start it with PUT, or send with ?activate=true'],
    [
      'ASK_TIMEOUT',
      'a/b did not answer within 5 ms; give it a longer timeoutMs, or find out what keeps it busy',
    ],
    ['BAD_REQUEST', 'the request body is not valid: type: a text of 1 to 256 characters'],
    ['UNAUTHORIZED', 'send a token of this gateway: Authorization: Bearer <token>'],
    [
      'AGENT_QUARANTINED',
      'a/b is quarantined; see the cause and the evidence, then resume() it (a gateway: POST …/resume, holdfast agents resume) or stop() it',
    ],
    ['BODY_TOO_LARGE', 'a request body may have at most 1024 bytes'],
  ]);
  let code = '';
  const url = await served((_request, response) => {
    response.writeHead(400).end(JSON.stringify({ error: { code, message: answers.get(code) } }));
  });
  const said: string[] = [];
  for (code of answers.keys()) said.push((await list(url)).err);
  expect(said.join('')).not.toMatch(/PUT|POST|\?activate|timeoutMs|\bbody\b|Authorization|Bearer|resume\(\)/);
  expect(said).toEqual([
    'there is no instance a/b; start it with agents start, or add --activate\n',
    'a/b did not answer within 5 ms; give it a longer --timeout, or find out what keeps it busy\n',
    'the input is not valid: type: a text of 1 to 256 characters\n',
    'the gateway does not know the token in HOLDFAST_TOKEN\n',
    expect.stringContaining('then resume it with agents resume, or stop it with agents stop'),
    'an event or input may have at most 1024 bytes\n',
  ]);
});

test('an instance without a thread is shown without one', async () => {
  const one = { address: 'a/b', state: 'quarantined', threadId: 'p', thread: -1, restarts: 5, handled: 1 };
  const url = await served((request, response) => {
    const body = request.method === 'PUT' ? one : { instances: [{ ...one, mailbox: 0, capacity: 10 }] };
    response.end(JSON.stringify(body));
  });
  expect((await list(url)).out).toMatch(/^a\/b +quarantined +p +- +5 +1 +0\/10$/m);
  const { out } = await shell('/')(`agents start a/b --url ${url}`, { env: { HOLDFAST_TOKEN: 't' } });
  expect(out).toBe('a/b exists, and has no thread yet.\n');
});

test('a gateway of this machine is asked itself, whatever the environment says of proxies', async () => {
  const made = await deskFolder();
  let isAsked = false;
  const proxy = createNetServer((socket) => {
    isAsked = true;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void proxy.close());
  await once(proxy, 'listening');
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const proxies = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: address, HTTPS_PROXY: address, NO_PROXY: '' };
  const lower = { http_proxy: address, https_proxy: address, no_proxy: '' };
  const env = { ...made.env, ...proxies, ...lower };
  const call = (...args: readonly string[]) =>
    run([...commandLine, ...args], { cwd: made.folder, env }).ended;
  onTestFinished(async () => {
    await shell(made.folder)('gateway stop', { env: made.env });
  });
  expect(await call('gateway', 'start')).toMatchObject({ code: 0 });
  const { out } = await call('gateway', 'status', '--json');
  const { gateway } = JSON.parse(out) as { gateway: { url: string } };
  expect(await call('agents', 'list', '--url', gateway.url)).toMatchObject({ code: 1 });
  expect(isAsked).toBe(false);
});

test('this machine is known by its names', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '0.0.0.0', '[::1]', '[::]', 'localhost', 'a.localhost'])
    expect([host, isThisMachine(host)]).toEqual([host, true]);
  for (const host of ['10.0.0.1', 'localhost.example.com', 'example.com', '127.example.com', '[fe80::1]'])
    expect([host, isThisMachine(host)]).toEqual([host, false]);
});

test('the nodes of a cluster are listed as the node of the gateway sees them, and one that is away is told', async () => {
  const at = ['10.0.0.5:7700', '10.0.0.6:7700'];
  const nodes = [
    { node: 0, at: at[0], partitions: 40, reachable: true },
    { node: 1, at: at[1], partitions: 24, reachable: false, why: 'the connection has ended' },
  ];
  let cluster: object | undefined = { node: 0, nodes };
  const url = await served((_request, response) => {
    response.end(JSON.stringify({ cluster }));
  });
  const list = (more = '') =>
    shell('/')(`cluster nodes --url ${url}${more}`, { env: { HOLDFAST_TOKEN: 'hf_token' } });
  const { code, out } = await list();
  expect(code).toBe(1);
  expect(out).toMatch(/^0 \(this\) +10\.0\.0\.5:7700 +40 +reached$/m);
  expect(out).toMatch(/^1 +10\.0\.0\.6:7700 +24 +not reached +the connection has ended$/m);
  expect(JSON.parse((await list(' --json')).out)).toEqual({ cluster });
  cluster = undefined;
  expect(await list()).toMatchObject({ code: 0, out: expect.stringContaining('is alone') as string });
});

test('status --cluster has what each node says of itself, and the sums of those that do', async () => {
  const agents = [{ agent: 'a', states: { running: 2, restarting: 1 }, handled: 7, mailbox: 4, capacity: 9 }];
  const figures = { state: 'running', version: '1.2.3', deadLetters: 5, agents };
  const nodes = [
    { node: 0, at: '10.0.0.5:7700', partitions: 32, reachable: true, figures },
    { node: 1, at: '10.0.0.6:7700', partitions: 16, reachable: true, figures },
    { node: 2, at: '10.0.0.7:7700', partitions: 16, reachable: false, why: 'it was not tried' },
  ];
  const url = await served((_request, response) => response.end(JSON.stringify({ nodes })));
  const { code, out } = await shell('/')(`status --cluster --url ${url}`, {
    env: { HOLDFAST_TOKEN: 'hf_token' },
  });
  expect(code).toBe(1);
  expect(out.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['node', 'at', 'state', 'version', 'partitions', 'instances', 'wait', 'handled', 'dead letters'],
    ['0', '10.0.0.5:7700', 'running', '1.2.3', '32', '3', '4', '7', '5'],
    ['1', '10.0.0.6:7700', 'running', '1.2.3', '16', '3', '4', '7', '5'],
    ['2', '10.0.0.7:7700', 'not reached', '16', 'it was not tried'],
    ['all', '64', '6', '8', '14', '10'],
    [''],
  ]);
});
