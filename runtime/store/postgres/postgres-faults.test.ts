import type { HoldfastError } from '../../base/errors.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { group, letter, numbers, one, record, row, turn } from '../../testing/durable-store-samples.ts';
import { durableStoreCases } from '../../testing/durable-store-cases.ts';
import type { DurableStore, StoreContext } from '../durable-store.ts';
import { type Cuts, cutsBefore } from './fixtures/cuts.ts';
import { hasPooler, type Pooler, startPooler } from './fixtures/pooler.ts';
import { hasPostgres, type Server, startServer } from './fixtures/server.ts';
import { openablePostgresStore, type PostgresStore, type PostgresStoreInternals } from './postgres-store.ts';

describe.skipIf(!hasPostgres)('a store in a PostgreSQL database', () => {
  let server: Server;
  let cuts: Cuts;
  let schemas = 0;
  let schema = '';
  const stores: PostgresStore[] = [];
  const warnings: string[] = [];
  const context: StoreContext = { now: Date.now, warn: (_fields, message) => void warnings.push(message) };

  beforeAll(async () => {
    server = await startServer();
    cuts = await cutsBefore(server);
  }, 60_000);
  afterAll(async () => {
    await cuts.close();
    await server.remove();
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close().catch(() => {});
    server.sql('alter role holdfast reset all');
    warnings.length = 0;
  });

  async function open(url = server.url, internals: PostgresStoreInternals = {}): Promise<PostgresStore> {
    schema = `f${schemas++}`;
    return again(url, internals);
  }
  async function again(url = server.url, internals: PostgresStoreInternals = {}): Promise<PostgresStore> {
    const store = openablePostgresStore({ url, schema }, internals);
    stores.push(store);
    await store.open(context);
    return store;
  }
  const begin = group('1', { turns: [turn({ record: record() })] });

  it('amendment 1: writes a group once, whose answer was lost with the connection, and says what came of it', async () => {
    const store = await open(cuts.url);
    await store.commit(begin);
    cuts.cutNextAnswer();
    const next = turn({
      after: '1',
      record: record({ seq: 2 }),
      sends: [row(1), row(2, { to: 'agent/none' })],
    });
    const result = await store.commit(group('2', { turns: [next], rows: [row(3)], letters: [letter('l')] }));
    expect(result).toEqual({ fenced: [], unknown: [2] });
    expect(await numbers(store)).toEqual([1, 3]);
    expect((await store.load(one))?.commit).toBe('2');
    expect(warnings).toEqual([expect.stringContaining('was lost')]);
    expect(await store.commit(group('3', { turns: [turn({ after: '2', handled: [1, 3] })] }))).toEqual({
      fenced: [],
      unknown: [],
    });
  });

  it('writes nothing of a group that comes late, after it was given up and others were written', async () => {
    const store = await open(cuts.url, { answerMs: 400 });
    await store.commit(begin);
    cuts.hold();
    const late = group('2', { rows: [row(1)] });
    await expect(store.commit(late)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('has not answered for 0.4 s'),
    });
    // On another connection, while the first try is still on its way.
    await store.commit(late);
    await store.commit(group('3', { turns: [turn({ after: '1', handled: [1] })] }));
    await cuts.release();
    expect(await numbers(store)).toEqual([]);
    await store.commit(group('4', { turns: [turn({ after: '1', record: record({ seq: 2 }) })] }));
  });

  it('goes on by itself when the server was killed and started anew, and loses nothing', async () => {
    const store = await open();
    await store.commit(begin);
    await server.stop('immediate');
    const written = store.commit(group('2', { turns: [turn({ after: '1', record: record({ seq: 2 }) })] }));
    const loaded = store.load(one);
    await server.start();
    expect(await written).toEqual({ fenced: [], unknown: [] });
    expect((await loaded)?.commit).toBe('2');
  });

  it('says that the server cannot be reached, without what its url holds, and goes on when it can', async () => {
    const url = server.url.replace('user=holdfast', 'user=holdfast&password=canary-in-url');
    const store = await open(url, { patienceMs: 0 });
    await server.stop();
    const failed = await store.commit(begin).then(
      () => undefined,
      (error: Error) => error,
    );
    await server.start();
    expect(failed).toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('cannot be reached'),
    });
    expect(`${failed?.message}${failed?.stack}${JSON.stringify(failed)}${warnings.join('')}`).not.toContain(
      'canary',
    );
    expect(await store.commit(begin)).toEqual({ fenced: [], unknown: [] });
  });

  it('finds by a look that the server is away and back, and that another has the store', async () => {
    const store = await open(server.url, { patienceMs: 0 });
    await store.look();
    await server.stop();
    await expect(store.look()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('cannot be reached'),
    });
    await server.start();
    await store.look();
    await again();
    await expect(store.look()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  });

  it('is not opened where nothing can be written, and says what to name', async () => {
    server.sql('alter role holdfast set default_transaction_read_only = on');
    await expect(open()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('Name the primary in the url'),
    });
  });

  it.each([
    ['statement_timeout', 'Raise statement_timeout'],
    ['lock_timeout', 'who holds locks'],
  ])('writes nothing, and all of it later, when %s ends a commit', async (setting, advice) => {
    const store = await open();
    await store.commit(begin);
    server.sql(`alter role holdfast set ${setting} = '200ms'`);
    const limited = await again();
    const blocker = await import('pg').then(
      ({ default: { Client } }) =>
        new Client({ host: server.folder, user: 'holdfast', database: 'postgres' }),
    );
    await blocker.connect();
    await blocker.query(`begin; lock table ${schema}.rows in exclusive mode`);
    const next = group('2', { rows: [row(1)], turns: [turn({ after: '1', record: record({ seq: 2 }) })] });
    try {
      await expect(limited.commit(next)).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining(advice),
      });
      expect((await limited.load(one))?.commit).toBe('1');
    } finally {
      await blocker.end();
    }
    expect(await limited.commit(next)).toEqual({ fenced: [], unknown: [] });
    expect(await numbers(limited)).toEqual([1]);
  });

  it('waits for the disk of the server whatever the user has for synchronous_commit', async () => {
    server.sql('alter role holdfast set synchronous_commit = off');
    const store = await open();
    server.sql(`create table ${schema}.seen(setting text);
      create function ${schema}.see() returns trigger language plpgsql as
        $$ begin insert into ${schema}.seen values(current_setting('synchronous_commit')); return new; end $$;
      grant insert on ${schema}.seen to holdfast;
      create trigger see after insert on ${schema}.records for each row execute function ${schema}.see()`);
    await store.commit(begin);
    expect(server.sql(`select setting from ${schema}.seen`)).toBe('on');
  });

  it.each(['repeatable read', 'serializable'])(
    'keeps its fence where every transaction is %s',
    async (level) => {
      server.sql(`alter role holdfast set default_transaction_isolation = '${level}'`);
      const store = await open();
      await store.commit(begin);
      const next = await again();
      const late = store.commit(
        group('2', { turns: [turn({ after: '1', record: record({ state: 'late' }) })] }),
      );
      await expect(late).rejects.toMatchObject({ code: 'STORE_LOCKED' });
      expect((await next.load(one))?.state).toBe(record().state);
    },
  );

  it('amendment 10: writes nothing any more when the past has come back under it', async () => {
    const store = await open();
    await store.commit(begin);
    const past = server
      .sql(`select number || ',' || quote_literal(last_group) from ${schema}.owner`)
      .split(',');
    await store.commit(group('2', { turns: [turn({ after: '1', record: record({ seq: 2 }) })] }));
    server.sql(`update ${schema}.owner set number = ${past[0]}, last_group = ${past[1]}`);
    await expect(store.commit(group('3', { rows: [row(1)] }))).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining('restored from a backup'),
    });
    expect(await numbers(store)).toEqual([]);
  });

  it('of two that open it at once has one owner, whose groups are written', async () => {
    schema = `f${schemas++}`;
    const all = await Promise.all(Array.from({ length: 4 }, () => again()));
    const results = await Promise.allSettled(all.map((store) => store.commit(begin)));
    const codes = results.map((result) =>
      result.status === 'fulfilled' ? 'written' : (result.reason as HoldfastError).code,
    );
    expect(codes.toSorted((x, y) => (x < y ? -1 : 1))).toEqual([
      'STORE_LOCKED',
      'STORE_LOCKED',
      'STORE_LOCKED',
      'written',
    ]);
  });

  it('takes texts that the database does not, and gives them back', async () => {
    const store = await open();
    const odd = ['\0', 'a\0b', '\ud800', '\u0002x', '\\u0000', "'; drop schema public; --"];
    const version = odd.join('|');
    await store.commit(group('\0', { turns: [turn({ record: record({ version, state: '"\0\ud800"' }) })] }));
    const steps = odd.map((key) => ({ start: key, key, value: '1' }));
    await store.commit(group('2', { turns: [turn({ after: '\0', steps })] }));
    expect(await store.load(one)).toMatchObject({ version, commit: '\0' });
    const kept = new Map((await store.steps(one)).map(({ start, key }) => [key, start]));
    expect(kept).toEqual(new Map(odd.map((key) => [key, key])));
  });

  it('says that a record is damaged whose bytes are not those that were written', async () => {
    const store = await open();
    await store.commit(begin);
    server.sql(`update ${schema}.records set state = set_byte(state, 3, 0)`);
    await expect(store.load(one)).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining(one),
    });
  });

  it('amendment 24: is not opened by a version that does not know its form', async () => {
    const store = await open();
    await store.close();
    server.sql(`update ${schema}.form set version = 99`);
    await expect(again()).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
  });

  describe.skipIf(!hasPooler)('behind a pooler in transaction mode', () => {
    let pooler: Pooler;
    beforeAll(async () => {
      pooler = await startPooler(server);
    });
    afterAll(() => pooler.stop());

    it('follows the rules', async () => {
      const names = new WeakMap<DurableStore, string>();
      const at = (name = `p${schemas++}`): DurableStore => {
        const store = openablePostgresStore({ url: pooler.url, schema: name });
        names.set(store, name);
        return store;
      };
      const some = /same group again|was killed|overtaken|page|order in which|five megabytes/;
      const cases = durableStoreCases({
        create: () => at(),
        async reopen(store, how) {
          if (how === 'killed') await (store as PostgresStore).kill();
          return at(names.get(store));
        },
        overtake: (store) => at(names.get(store)),
      });
      const failed: unknown[] = [];
      for (const { name, run } of cases.filter((each) => some.test(each.name)))
        await run().catch((error: unknown) => failed.push([name, error]));
      expect(failed).toEqual([]);
    });
  });
});
