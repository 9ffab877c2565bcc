import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres, type Server, startServer } from '../store/postgres/fixtures/server.ts';
import { gateway } from './fixtures/gateway.ts';

const CANARY = 'CANARY-of-the-gateway-4e7';

let server: Server;
beforeAll(async () => {
  if (hasPostgres) server = await startServer();
});
afterAll(() => server?.remove());

describe.skipIf(!hasPostgres)('a gateway whose store is in a database', () => {
  test('goes on there after a restart, is not restarted into code that cannot read it, and says when it is away', async () => {
    process.env['GATEWAY_DATABASE'] =
      `postgresql://holdfast:${CANARY}@localhost/postgres?host=${encodeURIComponent(server.folder)}`;
    const configOf = (name: string) => {
      const module = fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url));
      return {
        externalSecrets: { provider: 'env' },
        store: { type: 'postgres', url: 'GATEWAY_DATABASE', schema: 'desk' },
        agents: { one: { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module } },
        gateway: { port: 0, reload: false },
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
