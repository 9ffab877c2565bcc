import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { filesWith, spreadValue } from '../../fixtures/spread-value.ts';
import { fixture, start } from '../../fixtures/start.ts';
import { otherCertificate } from '../../gateway/fixtures/other-certificate.ts';
import { testCertificate } from '../../secrets/fixtures/test-certificate.ts';
import { testDurableStore } from '../../testing/durable-store-cases.ts';
import type { DurableStore } from '../durable-store.ts';
import { hasPostgres, type Server, startServer } from './fixtures/server.ts';
import { openablePostgresStore, type PostgresStore, postgresStore } from './postgres-store.ts';

let server: Server;
beforeAll(async () => {
  if (hasPostgres) server = await startServer({ tls: testCertificate });
});
afterAll(() => server?.remove());

describe.skipIf(!hasPostgres)('the durable store in a PostgreSQL database', () => {
  const names = new WeakMap<DurableStore, string>();
  /** Schemas that a case is done with: to empty one is less than to make one. */
  const free = new Set<string>();
  let schemas = 0;
  const at = (schema: string): DurableStore => {
    const store = openablePostgresStore({ url: server.url, schema });
    names.set(store, schema);
    return store;
  };
  async function empty(schema: string): Promise<void> {
    const client = new Client({
      host: server.folder,
      port: server.port,
      user: 'holdfast',
      database: 'postgres',
    });
    await client.connect();
    const tables = ['records', 'rows', 'ids', 'steps', 'letters'].map(
      (name) => `delete from ${schema}.${name}`,
    );
    await client.query(`${tables.join(';')}; update ${schema}.owner set epoch = 0, opened_at = null, unclean_ends = '[]',
      next_row = 1, number = 0, last_group = null, last_result = null, waiting = 0`);
    await client.end();
  }

  testDurableStore({
    test: it,
    async create() {
      const [schema] = free;
      if (schema === undefined) return at(`s${schemas++}`);
      free.delete(schema);
      await empty(schema);
      return at(schema);
    },
    async reopen(store, how) {
      if (how === 'killed') await (store as PostgresStore).kill();
      return at(names.get(store) as string);
    },
    overtake: (store) => at(names.get(store) as string),
    dispose: (store) => free.add(names.get(store) as string),
  });
});

describe.skipIf(!hasPostgres)('a durable agent in a PostgreSQL database', () => {
  const agents = { account: fixture('account') };

  it('goes on in the next process from what was acknowledged, with the rows that waited', async () => {
    const store = () => postgresStore({ url: server.url, schema: 'agents' });
    const first = await start({ agents }, { store: store() });
    const ref = await first.spawn('account', { id: 'a' });
    expect(await ref.ask({ type: 'deposit', amount: 2 })).toBe(2);
    await ref.enqueue({ type: 'deposit', amount: 3 }, { id: 'once' });
    await ref.enqueue({ type: 'deposit', amount: 3 }, { id: 'once' });
    await first.stop();
    const second = await start({ agents }, { store: store() });
    const next = await second.getOrSpawn('account', 'a');
    expect(await next.ask({ type: 'total' })).toBe(5);
  });

  it('ends untold when another process has opened its store, which goes on with it', async () => {
    const store = () => postgresStore({ url: server.url, schema: 'overtaken' });
    const first = await start({ agents }, { store: store() });
    const ref = await first.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 2 });
    const second = await start({ agents }, { store: store() });
    await expect(ref.ask({ type: 'deposit', amount: 40 })).rejects.toMatchObject({
      code: expect.stringMatching(/^STORE_/),
    });
    const next = await second.getOrSpawn('account', 'a');
    expect(await next.ask({ type: 'deposit', amount: 1 })).toBe(3);
  });
});

describe.skipIf(!hasPostgres)('a PostgreSQL database with agents', () => {
  it('has the value of a secret in no table, log or dump, and another value in all of them', async () => {
    const CANARY = 'CANARY-in-a-store-5b1c/9';
    process.env['STORE_CANARY'] = CANARY;
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-canary-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const found = async (value: string, schema: string): Promise<string[]> => {
      await spreadValue(postgresStore({ url: server.url, schema }), value, () => {
        writeFileSync(join(folder, 'dump'), server.dump(schema));
        server.sql('checkpoint');
      });
      const [database = ''] = readdirSync(join(server.folder, 'data', 'base')).toSorted(
        (a, b) => Number(b) - Number(a),
      );
      const tables = filesWith(join(server.folder, 'data', 'base', database), value);
      const log = filesWith(join(server.folder, 'data', 'pg_wal'), value);
      return [
        ...filesWith(folder, value),
        ...(tables.length > 0 ? ['tables'] : []),
        ...(log.length > 0 ? ['log'] : []),
      ];
    };
    expect(await found(CANARY, 'a')).toEqual([]);
    expect(await found('control-in-a-store-5b1c/9', 'b')).toEqual(['dump', 'tables', 'log']);
  });
});

describe.skipIf(!hasPostgres)('a server with TLS', () => {
  /** Returns whether all that is open is encrypted. */
  const open = async (host: string, ca?: string): Promise<string> => {
    const url = `postgresql://holdfast@${host}:${server.port}/postgres?sslmode=verify-full`;
    const store = postgresStore({ url, tls: ca === undefined ? undefined : { ca } });
    await store.open({ now: Date.now, warn() {} });
    const ssl =
      "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'holdfast'";
    const isEncrypted = server.sql(ssl);
    await store.close();
    return isEncrypted;
  };

  it.each(['localhost', '127.0.0.1'])('is spoken to as %s when its certificate is known', async (host) => {
    expect(await open(host, testCertificate.cert)).toBe('t');
  });

  it.each([
    ['nobody is known', undefined],
    ['another is known', otherCertificate.cert],
  ])('is not spoken to when %s', async (_what, ca) => {
    await expect(open('localhost', ca)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('give its authority as tls.ca'),
    });
  });
});
