import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { env } from 'node:process';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { Door } from '../runtime/gateway/door.ts';
import { gateway } from '../runtime/gateway/fixtures/gateway.ts';
import { RequestServer } from '../runtime/gateway/request-server.ts';
import { testCertificate } from '../runtime/secrets/fixtures/test-certificate.ts';

/** More of it: `HOLDFAST_RUNS=500 npx vitest run props/listeners.prop.ts`. */
const numRuns = Number(env['HOLDFAST_RUNS'] ?? 20);
const connectionsOfARun = 24;
const timeLimitMs = 60_000 + 4000 * numRuns;
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};
/** Whatever is sent, something comes back or the connection ends. */
const PATIENCE_MS = 15_000;

interface Sent {
  /** Bytes, as Latin-1. */
  readonly text: string;
  /** Reset after so many bytes, or when something comes back; undefined: it waits for an answer. */
  readonly reset?: number | 'answered' | undefined;
  /** Something comes back for it, whatever others are told meanwhile. */
  readonly isWhole?: boolean;
}

/** What is written to, and what it goes over. */
type Connect = () => { readonly socket: Socket; readonly wire: Socket };

const never = (): Promise<unknown> => new Promise(() => {});

/** What happened to a connection: the status of the answer, `closed`, or `reset` by this side. */
async function sendOn(
  connect: Connect,
  { text, reset }: Sent,
  others: () => Promise<unknown> = never,
): Promise<string> {
  const { socket, wire } = connect();
  const bytes = Buffer.from(text, 'latin1');
  const over = Promise.withResolvers<string>();
  const late = setTimeout(() => over.reject(new Error(`no end of ${text}`)), PATIENCE_MS);
  const cut = (): void => {
    wire.resetAndDestroy();
    over.resolve('reset');
  };
  socket.on('error', () => over.resolve('closed'));
  socket.on('close', () => over.resolve('closed'));
  socket.once('data', (data: Buffer) => {
    if (reset === 'answered') return cut();
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1')) ?? [];
    over.resolve(status ?? 'closed');
  });
  if (typeof reset === 'number') socket.write(bytes.subarray(0, reset), cut);
  else socket.write(bytes);
  try {
    // When others were answered meanwhile, what is no whole request ends here: nothing would come.
    if (typeof reset !== 'number') await Promise.race([over.promise, others()]);
    socket.end();
    return await over.promise;
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}

function requestOf(
  method: string,
  target: string,
  headers: readonly (readonly [string, string])[],
  body = '',
): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

const odd = fc.oneof(
  fc.stringMatching(/^[\x21-\x7e]{0,40}$/),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const oneOf = (...known: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: odd });

/** Paths of both, and what is none. */
const TARGETS = [
  '/ // /// //relay //evil.example/relay /\\ * ? # /# /% /%00 /.. http:// http://[ ws: javascript:0 /?token= /?token=%',
  '/main.js /relay /relay?token=% /events /events /send /replay /healthz /v1/gateway /v1/agents /v1/agents//',
  '/v1/agents/counter/%E0%A4%A /v1/agents/counter/a/stream /v1/agents/counter/a/snapshot',
].flatMap((line) => line.split(' '));

/** Whatever a client may write: now a request, now something like one, now neither. */
function anything(port: number, bearers: readonly string[]): fc.Arbitrary<Sent> {
  const own = `127.0.0.1:${port}`;
  const method = oneOf(
    'GET',
    'GET',
    'POST',
    'PUT',
    'DELETE',
    'HEAD',
    'OPTIONS',
    'CONNECT',
    'TRACE',
    'PRI',
    'get',
    '',
  );
  const target = oneOf('', ...TARGETS, `http://${own}/relay`, `/relay?token=x`);
  const host = oneOf(
    own,
    own,
    own,
    `localhost:${port}`,
    'evil.example',
    '[',
    '',
    '127.0.0.1:99999',
    'a b',
    '@',
  );
  const maybe = (name: string, ...values: readonly string[]): fc.Arbitrary<(readonly [string, string])[]> =>
    fc.tuple(fc.nat(2), oneOf(...values)).map(([one, value]) => (one === 0 ? [[name, value] as const] : []));
  const headers = fc
    .tuple(
      host.map((value) => [['Host', value] as const]),
      maybe('Host', own),
      maybe('Origin', `http://${own}`, 'null', 'https://evil.example', '%%', ''),
      maybe('Sec-Fetch-Site', 'same-origin', 'cross-site', 'none'),
      maybe('Connection', 'upgrade', 'Upgrade', 'keep-alive', 'close', 'upgrade, close'),
      maybe('Upgrade', 'websocket', 'websocket', 'h2c', ''),
      maybe('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'x'),
      maybe('Sec-WebSocket-Version', '13', '13', '8', '-1'),
      maybe(
        'Sec-WebSocket-Extensions',
        'permessage-deflate',
        'permessage-deflate; server_max_window_bits=1',
        ';',
      ),
      maybe('Authorization', ...bearers, 'Bearer', 'Basic Og=='),
      maybe('Content-Type', 'application/json', 'text/plain'),
      maybe('Content-Length', '2', '5', '0', '-1', '99999999999999999999'),
      maybe('Transfer-Encoding', 'chunked', 'gzip', 'chunked, chunked'),
      maybe('Expect', '100-continue', '200-ok'),
    )
    .map((all) => all.flat());
  const body = fc.oneof(
    fc.constantFrom('', '{}', '5\r\nhello\r\n0\r\n\r\n', '{"type":"inc"}', '\x81\x80\0\0\0\0'),
    odd,
  );
  const request = fc
    .tuple(method, target, headers, body)
    .map(([method, target, headers, body]) => requestOf(method, target, headers, body));
  const websocket = fc.tuple(target, host, body).map(([target, host, body]) =>
    requestOf(
      'GET',
      target,
      [
        ['Host', host],
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
        ['Sec-WebSocket-Version', '13'],
        ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
      ],
      body,
    ),
  );
  const sound = fc.tuple(target, fc.constantFrom(...bearers)).map(([target, bearer]) =>
    requestOf('GET', target, [
      ['Host', own],
      ['Authorization', bearer],
    ]),
  );
  const answered = sound.map((text) => ({ text, isWhole: true }));
  const noise = fc
    .uint8Array({ minLength: 1, maxLength: 200 })
    .map((bytes) => Buffer.from(bytes).toString('latin1'));
  const cut = fc
    .tuple(
      fc.oneof(
        { weight: 4, arbitrary: request },
        { weight: 3, arbitrary: websocket },
        { weight: 1, arbitrary: noise },
      ),
      fc.oneof(fc.constant(undefined), fc.constant('answered' as const), fc.nat(400)),
    )
    .map(([text, reset]) => ({ text, reset }));
  return fc.oneof({ weight: 4, arbitrary: cut }, { weight: 1, arbitrary: answered });
}

const tcp =
  (port: number): Connect =>
  () => {
    const socket = connectTcp({ port, host: '127.0.0.1' });
    return { socket, wire: socket };
  };

/** Another client, whom nothing befalls. */
const other = (port: number) => async (): Promise<number> =>
  (await fetch(`http://127.0.0.1:${port}/healthz`)).status;

function upgradeOf(port: number, target: string, host = `127.0.0.1:${port}`): string {
  const of = { Host: host, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };
  return requestOf('GET', target, [...Object.entries(of), ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']]);
}

/** What comes of many of the connections. */
const COMMON = ['front 400', 'front reset', 'inspector 400', 'inspector reset'];
const RARE = [
  'front 200',
  'front 401',
  'front 404',
  'front closed',
  'inspector 200',
  'inspector 401',
  'inspector 403',
];

/** A gateway with an inspector, and what it takes to ask both. */
async function rig() {
  const made = await gateway({ inspect: { allowSend: true } });
  await made.call('PUT', '/v1/agents/counter/a');
  const { link } = (await made.call('POST', '/v1/inspector')).body as { link: string };
  const entered = await (await fetch(link)).text();
  const [, session = ''] = /name="session" content="([\w-]+)"/.exec(entered) ?? [];
  const ports = { front: Number(new URL(made.front.url).port), inspector: Number(new URL(link).port) };
  const { servicePid, pid } = made.front.status();
  const bearers = [`Bearer ${made.token}`, `Bearer ${session}`];
  /** The same processes answer as before, and by what they are. */
  const lives = async (): Promise<void> => {
    const health = await fetch(`http://127.0.0.1:${ports.front}/healthz`);
    expect([health.status, await health.text()]).toEqual([200, '{"status":"ok"}']);
    const page = await fetch(`http://127.0.0.1:${ports.inspector}/`);
    expect([page.status, (await page.text()).includes('Holdfast')]).toEqual([200, true]);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const headers = { authorization: String(bearers[1]) };
    const events = await fetch(`http://127.0.0.1:${ports.inspector}/events`, { headers, signal });
    expect(events.status).toBe(200);
    await events.body?.cancel();
    expect(made.front.status()).toMatchObject({ pid, servicePid, restarts: 0 });
  };
  return { ...made, ports, bearers, lives };
}

test(
  'whatever is sent to the gateway and to its inspector, both live and answer',
  { timeout: timeLimitMs + 60_000 },
  async () => {
    const { ports, bearers, lives, log } = await rig();
    const met = new Map<string, number>();
    const sent = (port: number) => anything(port, bearers);
    const property = fc.asyncProperty(
      fc.array(sent(ports.front), { minLength: connectionsOfARun / 2, maxLength: connectionsOfARun / 2 }),
      fc.array(sent(ports.inspector), { minLength: connectionsOfARun / 2, maxLength: connectionsOfARun / 2 }),
      async (front, inspector) => {
        const each = (name: keyof typeof ports, all: readonly Sent[]) =>
          all.map(async (one) => {
            const outcome = `${name} ${await sendOn(tcp(ports[name]), one, one.isWhole === true ? never : other(ports[name]))}`;
            met.set(outcome, (met.get(outcome) ?? 0) + 1);
          });
        await Promise.all([...each('front', front), ...each('inspector', inspector)]);
        await lives();
      },
    );
    await fc.assert(property, {
      numRuns,
      interruptAfterTimeLimit: timeLimitMs,
      markInterruptAsFailure: true,
      // A process that has ended makes whatever comes next fail.
      endOnFailure: true,
      ...replay,
    });
    expect(log.filter((line) => line.includes('failed; it'))).toEqual([]);
    if (env['HOLDFAST_PATH'] !== undefined) return;
    // A long run that never comes so far has tested little; a short one may miss what is rare.
    const wanted = numRuns < 100 ? COMMON : [...COMMON, ...RARE];
    expect(wanted.filter((outcome) => !met.has(outcome))).toEqual([]);
  },
);

test(
  'a connection that is reset at any byte of any request costs nobody else anything',
  { timeout: 240_000 },
  async () => {
    const { ports, bearers, lives, token } = await rig();
    const host = (port: number) => ['Host', `127.0.0.1:${port}`] as const;
    const json = ['Content-Type', 'application/json'] as const;
    const { front, inspector } = ports;
    const posted = (body: string) => [json, ['Content-Length', String(body.length)] as const] as const;
    const send = '{"address":"counter/a","event":{"type":"inc"}}';
    const session = ['Authorization', String(bearers[1])] as const;
    const owner = ['Authorization', `Bearer ${token}`] as const;
    const all: (readonly [port: number, text: string])[] = [
      [inspector, upgradeOf(inspector, '//')],
      [inspector, upgradeOf(inspector, '/relay?token=x')],
      [inspector, upgradeOf(inspector, '/relay', 'evil.example')],
      [inspector, requestOf('GET', '/events', [host(inspector), session])],
      [inspector, requestOf('POST', '/send', [host(inspector), session, ...posted(send)], send)],
      [front, upgradeOf(front, '//')],
      [front, requestOf('GET', '/v1/agents/counter/a/stream', [host(front), owner])],
      [
        front,
        requestOf(
          'POST',
          '/v1/agents/counter/a/ask',
          [host(front), owner, ...posted('{"type":"read"}')],
          '{"type":"read"}',
        ),
      ],
      [
        front,
        requestOf(
          'PUT',
          '/v1/agents/counter/b',
          [host(front), owner, json, ['Transfer-Encoding', 'chunked']],
          '2\r\n{}\r\n0\r\n\r\n',
        ),
      ],
    ];
    let resets = 0;
    for (const [port, text] of all) {
      const bytes = Buffer.from(text, 'latin1');
      // Each prefix is there when the reset comes: what is asked after it is answered first.
      const lengths = Array.from({ length: bytes.length + 1 }, (_, n) => n);
      for (let from = 0; from < lengths.length; from += 64) {
        const sockets = await Promise.all(
          lengths.slice(from, from + 64).map(async (length) => {
            const socket = connectTcp({ port, host: '127.0.0.1' }).on('error', () => {});
            await once(socket, 'connect');
            await new Promise((written) => socket.write(bytes.subarray(0, length), written));
            return socket;
          }),
        );
        expect([200, 404]).toContain(await other(port)());
        for (const socket of sockets) {
          resets += socket.destroyed ? 0 : 1;
          socket.resetAndDestroy();
        }
      }
      // And when the answer begins to come.
      expect(await sendOn(tcp(port), { text, reset: 'answered' })).toBe('reset');
      await lives();
    }
    expect(resets).toBeGreaterThan(1000);
  },
);

test(
  'what is sent while nobody serves, or in place of TLS, costs its own connection alone',
  { timeout: 120_000 },
  async () => {
    const { cert, key } = testCertificate;
    const files = { cert: Buffer.from(cert), key: Buffer.from(key) };
    const failures: unknown[] = [];
    const failed = (error: unknown): void => void failures.push(error);
    const options = { host: '127.0.0.1', port: 0, tls: () => files, holdMs: () => 50, failed };
    const door = await Door.open(options);
    onTestFinished(() => door.close());
    const port = Number(new URL(door.url).port);
    const listener = (_request: unknown, response: { end(text: string): void }): void =>
      response.end('served');
    const server = new RequestServer({ listener, tls: files, requestTimeoutMs: () => 1000, failed });
    onTestFinished(() => server.stop(0));
    const tls: Connect = () => {
      const { wire } = tcp(port)();
      return { socket: connectTls({ socket: wire, rejectUnauthorized: false }), wire };
    };
    const get = requestOf('GET', '/', [['Host', 'x']]);
    // The first message of a client, as Node sends it.
    const recorder = createServer().listen(0, '127.0.0.1');
    await once(recorder, 'listening');
    const caller = connectTls({ port: (recorder.address() as AddressInfo).port, host: '127.0.0.1' }).on(
      'error',
      () => {},
    );
    const [recorded] = (await once(recorder, 'connection')) as [Socket];
    const [sent] = (await once(recorded, 'data')) as [Buffer];
    const hello = sent.toString('latin1');
    caller.destroy();
    recorder.close();
    const another = (): Promise<unknown> => sendOn(tls, { text: get });
    const flood = async (answer: string): Promise<void> => {
      const noise = [get, '\0\0\0', '\xff'.repeat(500), upgradeOf(port, '//')];
      const steps = Array.from({ length: Math.ceil(hello.length / 7) }, (_, n) => n * 7);
      const plain: Sent[] = [
        ...noise.flatMap((text) =>
          ([undefined, 'answered', 1, 0] as const).map((reset) => ({ text, reset })),
        ),
        ...steps.map((reset) => ({ text: hello, reset })),
        { text: hello, reset: 'answered' },
      ];
      const inside: Sent[] = ([0, 1, 'answered'] as const).map((reset) => ({ text: get, reset }));
      const met = await Promise.all([
        ...plain.map((one) => sendOn(tcp(port), one, another)),
        ...inside.map((one) => sendOn(tls, one)),
      ]);
      expect(met).toContain('closed');
      expect(met.filter((outcome) => outcome === 'reset').length).toBeGreaterThan(steps.length / 2);
      expect(await sendOn(tls, { text: get })).toBe(answer);
    };
    await flood('503');
    expect(door.held).toBe(0);
    door.leadTo((socket) => server.accept(socket));
    await flood('200');
    expect(failures).toEqual([]);
    // What leads a connection on fails.
    door.leadTo(() => {
      throw new Error('the channel is gone');
    });
    expect(await sendOn(tcp(port), { text: get })).toBe('closed');
    expect(failures).toMatchObject([{ message: 'the channel is gone' }]);
  },
);
