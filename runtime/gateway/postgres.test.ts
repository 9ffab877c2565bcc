import { fileURLToPath } from 'node:url';
import { postgresStore } from 'holdfast';
import { cluster } from 'holdfast/cluster';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { partitionOf } from '../base/partition.ts';
import { freePort } from '../fixtures/free-port.ts';
import { hasPostgres, type Server, startServer } from '../store/postgres/fixtures/server.ts';
import { face } from './fixtures/face.ts';
import { gateway } from './fixtures/gateway.ts';
import { toldBy } from './fixtures/told-events.ts';
import { digestOf, newToken } from './token-access.ts';

const CANARY = 'CANARY-of-the-gateway-4e7';

let server: Server;
beforeAll(async () => {
  if (hasPostgres) server = await startServer();
});
afterAll(() => server?.remove());

describe.skipIf(!hasPostgres)('gateways that are nodes of a cluster', () => {
  let faces: readonly Awaited<ReturnType<typeof face>>[];
  beforeAll(async () => {
    const nodes = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const node = (index: number) => {
      const store = postgresStore({ url: server.url, schema: 'nodes' });
      const limits = { limits: { activatedInstances: 2 }, tokens };
      return face(limits, undefined, {}, { store, cluster: cluster({ nodes, index }) });
    };
    faces = await Promise.all([node(0), node(1)]);
  }, 120_000);
  afterAll(() => Promise.all(faces?.map((one) => one.close()) ?? []));

  const desk = newToken();
  const tokens = { desk: { sha256: digestOf(desk) } };
  const asDesk = { authorization: `Bearer ${desk}` };
  let ids = 0;
  /** The path of an instance that belongs to the second node, another one each time. */
  const theirs = (agent = 'account'): string => {
    for (;;) if (partitionOf(`${agent}/a${++ids}`) % 2 === 1) return `/v1/agents/${agent}/a${ids}`;
  };
  const deposit = { type: 'deposit', amount: 5 };
  /** The same, through each of the two. */
  const through = (n: number, ...[method, path, ...rest]: Parameters<(typeof faces)[number]['call']>) =>
    (faces[n] as (typeof faces)[number]).call(method, path, ...rest);

  test('each answers for the instances of the other as for its own', async () => {
    const path = theirs();
    expect(await through(0, 'GET', `${path}/snapshot`)).toMatchObject({ status: 404 });
    expect(await through(0, 'POST', `${path}/ask`, { type: 'total' })).toMatchObject({ status: 404 });
    expect(await through(0, 'PUT', path)).toMatchObject({ status: 201, body: { node: 1 } });
    expect(await through(0, 'PUT', path)).toMatchObject({ status: 200 });
    expect(await through(1, 'PUT', path)).toMatchObject({ status: 200, body: { node: 1 } });
    expect(await through(0, 'POST', `${path}/events`, deposit)).toMatchObject({ status: 202 });
    expect(await through(0, 'POST', `${path}/events?wait=handled`, deposit)).toMatchObject({ status: 200 });
    for (const n of [0, 1])
      expect(await through(n, 'POST', `${path}/ask`, { type: 'history' })).toMatchObject({
        status: 200,
        body: { reply: { total: 10, deposits: 2 } },
      });
    expect(await through(0, 'GET', `${path}/snapshot`)).toMatchObject({
      body: { node: 1, value: 'open', context: { total: 10 } },
    });
    const refused = await through(0, 'POST', `${path}/events?wait=handled`, { type: 'overdraw', amount: 1 });
    expect(refused).toMatchObject({ status: 422, body: { error: { code: 'AGENT_FAILED' } } });
    expect(await through(0, 'DELETE', path)).toMatchObject({ status: 204 });
    expect(await through(1, 'POST', `${path}/ask`, { type: 'total' })).toMatchObject({ status: 404 });
  });

  test('each says what all of them say of themselves', async () => {
    for (const n of [0, 1])
      expect(await through(n, 'GET', '/v1/cluster')).toMatchObject({
        body: {
          nodes: [0, 1].map((node) => ({
            node,
            partitions: 32,
            figures: { state: 'running', cluster: { node } },
          })),
        },
      });
  });

  test('a key does once what comes again by another node, for each token', async () => {
    const path = theirs();
    await through(0, 'PUT', path);
    const key = { 'idempotency-key': 'k-1' };
    const ask = (n: number, more: object = {}, event: object = deposit) =>
      through(n, 'POST', `${path}/ask`, event, { ...key, ...more });
    for (const n of [0, 1, 0]) expect(await ask(n)).toMatchObject({ status: 200, body: { reply: 5 } });
    expect(await ask(0, {}, { ...deposit, amount: 6 })).toMatchObject({ status: 422 });
    expect(await ask(0, asDesk)).toMatchObject({ body: { reply: 10 } });
    expect(await ask(1, asDesk)).toMatchObject({ body: { reply: 10 } });
    const send = (n: number) => through(n, 'POST', `${path}/events`, deposit, { 'idempotency-key': 'k-2' });
    for (const n of [0, 1]) expect(await send(n)).toMatchObject({ status: 202 });
    expect(await through(1, 'POST', `${path}/ask`, { type: 'total' })).toMatchObject({ body: { reply: 15 } });
  });

  test('an answer is read as it is written, and by its key once', async () => {
    const path = theirs('streaming');
    await through(0, 'PUT', path);
    const read = async (n: number, key?: string) => {
      const { app, headers } = faces[n] as (typeof faces)[number];
      const response = await app.request(`${path}/ask`, {
        method: 'POST',
        headers: { ...headers, accept: 'text/event-stream', ...(key && { 'idempotency-key': key }) },
        body: JSON.stringify({ type: 'invoke', n: 2 }),
      });
      return (await toldBy(response).until(9)).map(({ event, data }) => [event, data]);
    };
    const whole = [
      ['chunk', 0],
      ['chunk', 1],
      ['end', { reply: { wrote: 2 } }],
    ];
    expect(await read(0)).toEqual(whole);
    expect(await read(0, 'k-3')).toEqual(whole);
    const again = [['gap', expect.objectContaining({ code: 'ANSWER_NOT_KEPT' }) as unknown], whole[2]];
    expect(await read(1, 'k-3')).toEqual(again);
  });

  test('what an instance emits is told to all who follow it through another node', async () => {
    const path = theirs();
    expect(await through(0, 'GET', `${path}/stream`)).toMatchObject({ status: 404 });
    await through(0, 'PUT', path);
    const follow = async () => {
      const { app, headers } = faces[0] as (typeof faces)[number];
      const reader = (await app.request(`${path}/stream`, { headers })).body?.getReader();
      let told = '';
      return async (text: string): Promise<void> => {
        while (!told.includes(text)) told += new TextDecoder().decode((await reader?.read())?.value);
      };
    };
    const [one, other] = [await follow(), await follow()];
    for (const until of [one, other]) await until('event: snapshot');
    await through(1, 'POST', `${path}/events?wait=handled`, deposit);
    for (const until of [one, other]) await until('{"type":"deposited","total":5}');
  });

  test('?activate=true starts an instance where it belongs, within the limit of its token', async () => {
    const ask = (path: string) => through(0, 'POST', `${path}/ask?activate=true`, deposit, asDesk);
    const [one, two] = [theirs(), theirs()];
    for (const path of [one, two]) expect(await ask(path)).toMatchObject({ body: { reply: 5 } });
    expect(await ask(one)).toMatchObject({ body: { reply: 10 } });
    expect(await ask(theirs())).toMatchObject({ status: 429, body: { error: { code: 'LIMIT_REACHED' } } });
  });

  test('who asks for an instance of a node that is away is told so, and what is sent to it waits', async () => {
    const path = theirs();
    await through(0, 'PUT', path);
    await faces[1]?.close();
    const key = { 'idempotency-key': 'k-4' };
    for (const headers of [{}, key])
      expect(await through(0, 'POST', `${path}/ask?timeoutMs=300`, deposit, headers)).toMatchObject({
        status: 503,
        body: { error: { code: 'NODE_UNREACHABLE', retryable: true } },
      });
    expect(await through(0, 'POST', `${path}/events`, deposit)).toMatchObject({ status: 202 });
  });
});

describe.skipIf(!hasPostgres)('a gateway whose store is in a database', () => {
  test('goes on there after a restart, is not restarted into code that cannot read it, and says when it is away', async () => {
    process.env['GATEWAY_DATABASE'] =
      `postgresql://holdfast:${CANARY}@localhost/postgres?host=${encodeURIComponent(server.folder)}`;
    const node = `127.0.0.1:${await freePort()}`;
    const configOf = (name: string) => {
      const module = fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url));
      return {
        externalSecrets: { provider: 'env' },
        store: { type: 'postgres', url: 'GATEWAY_DATABASE', schema: 'desk' },
        agents: { one: { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module } },
        gateway: { port: 0, reload: false },
        cluster: { nodes: [node], index: 0 },
      };
    };
    const { front, call, write, log } = await gateway(configOf('account'));
    const ask = (event: object) => call('POST', '/v1/agents/one/a/ask?timeoutMs=30000', event);
    await call('PUT', '/v1/agents/one/a');
    expect(await ask({ type: 'deposit', amount: 5 })).toEqual({ status: 200, body: { reply: 5 } });
    expect(await front.restart()).toMatchObject({ result: 'restarted', lost: [] });
    expect(await ask({ type: 'total' })).toEqual({ status: 200, body: { reply: 5 } });
    await write(configOf('counter'));
    expect(await call('POST', '/v1/gateway/restart')).toMatchObject({
      status: 409,
      body: { error: { code: 'STATE_INCOMPATIBLE' } },
    });
    expect(await ask({ type: 'total' })).toEqual({ status: 200, body: { reply: 5 } });
    expect((await call('GET', '/readyz')).status).toBe(200);
    await server.stop('immediate');
    const under = ask({ type: 'deposit', amount: 1 });
    const ready = () => call('GET', '/readyz');
    await expect
      .poll(async () => JSON.stringify(await ready()), { timeout: 30_000 })
      .toMatch(
        /"status":503.*"store":\{"state":"failing","error":\{"code":"STORE_FAILED","message":"the store desk in the database of the secret .*cannot be reached.*See whether PostgreSQL runs there/,
      );
    expect(JSON.stringify(await ready()) + log.join('\n')).not.toContain(CANARY);
    await server.start();
    expect(await under).toMatchObject({ status: 200, body: { reply: 6 } });
    await expect.poll(async () => (await ready()).status, { timeout: 30_000 }).toBe(200);
  }, 120_000);
});
