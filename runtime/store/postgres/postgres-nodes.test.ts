import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PARTITIONS, partitionOf } from '../../base/partition.ts';
import { group, lettersOf, numbers, record, row, turn } from '../../testing/durable-store-samples.ts';
import type { MailboxRow } from '../durable-store.ts';
import type { PlacedTurn, RowOfLetter } from '../partitioned-store.ts';
import { hasPostgres, type Server, startServer } from './fixtures/server.ts';
import { openablePostgresStore, type PostgresStore } from './postgres-store.ts';

const all = Array.from({ length: PARTITIONS }, (_, part) => part);
const share = (node: number): number[] => all.filter((part) => part % 2 === node);
/** An address in a partition of that node. */
const of = (node: number, after = 0): string => {
  for (let i = after; ; i++) if (partitionOf(`agent/${i}`) % 2 === node) return `agent/${i}`;
};
const [a, b] = [of(0), of(1)];

describe.skipIf(!hasPostgres)('a PostgreSQL database that several nodes have open', () => {
  let server: Server;
  let schema = '';
  let schemas = 0;
  const stores: PostgresStore[] = [];
  beforeAll(async () => {
    server = await startServer();
  }, 60_000);
  afterAll(() => server?.remove());
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close().catch(() => {});
  });

  const store = (): PostgresStore => {
    const one = openablePostgresStore({ url: server.url, schema });
    stores.push(one);
    return one;
  };
  async function node(index: number): Promise<PostgresStore & { firstRow: number }> {
    const one = store();
    const { firstRow } = await one.openNode({ now: Date.now, warn() {}, node: index });
    await one.take(share(index));
    return Object.assign(one, { firstRow });
  }
  async function two(): Promise<
    [PostgresStore & { firstRow: number }, PostgresStore & { firstRow: number }]
  > {
    schema = `n${schemas++}`;
    return [await node(0), await node(1)];
  }
  const placed = (from: PostgresStore, address: string, rest: Partial<PlacedTurn>): PlacedTurn => ({
    ...turn(rest),
    address,
    epoch: from.epochOf(address) ?? 0,
  });
  const begin = (from: PostgresStore, address: string, id: string) =>
    from.commit(group(id, { turns: [placed(from, address, { record: record({ address }) })] }));

  it('takes turns of each for its own partitions, and rows of each for all, whose numbers differ', async () => {
    const [first, second] = await two();
    await begin(first, a, 'a1');
    await begin(second, b, 'b1');
    expect(first.firstRow % 64).toBe(0);
    expect(second.firstRow % 64).toBe(1);
    await first.commit(
      group('a2', { turns: [placed(first, a, { after: 'a1', sends: [row(first.firstRow, { to: b })] })] }),
    );
    await second.commit(group('b2', { rows: [row(second.firstRow, { to: b })] }));
    const waiting = await second.rows(b, 0, 10);
    expect(waiting.map(({ n }) => n)).toEqual([first.firstRow, second.firstRow]);
    const again = await node(0);
    expect(again.firstRow).toBeGreaterThan(second.firstRow);
  });

  it('writes nothing of a turn whose partition was taken since its instance became active', async () => {
    const [first, second] = await two();
    await begin(first, a, 'a1');
    const other = of(0, Number(a.split('/')[1]) + 1);
    expect(partitionOf(other)).not.toBe(partitionOf(a));
    const late = placed(first, a, {
      after: 'a1',
      record: record({ address: a, seq: 2 }),
      sends: [row(first.firstRow, { to: a })],
    });
    await second.take([partitionOf(a)]);
    const result = await first.commit(
      group('a2', { turns: [late, placed(first, other, { record: record({ address: other }) })] }),
    );
    expect(result.fenced).toEqual([a]);
    expect(await first.load(a)).toMatchObject({ commit: 'a1', seq: 1 });
    expect(await first.load(other)).toMatchObject({ commit: 'a2' });
    expect(await first.rows(a, 0, 10)).toEqual([]);
    await second.commit(
      group('b1', { turns: [placed(second, a, { after: 'a1', record: record({ address: a, seq: 2 }) })] }),
    );
    expect(await first.load(a)).toMatchObject({ commit: 'b1' });
  });

  it('fences what was active before its own node took the partition again', async () => {
    const [first] = await two();
    await begin(first, a, 'a1');
    const before = placed(first, a, { after: 'a1', record: record({ address: a, seq: 2 }) });
    await first.take([partitionOf(a)]);
    expect(await first.commit(group('a2', { turns: [before] }))).toMatchObject({ fenced: [a] });
    first.lost([partitionOf(a)]);
    expect(first.epochOf(a)).toBeUndefined();
  });

  it('writes nothing twice of a group that comes again, although another has handled it since', async () => {
    const [first, second] = await two();
    await begin(first, a, 'a1');
    await begin(second, b, 'b1');
    const [n, ofTurn, nobody] = [first.firstRow, first.firstRow + 64, first.firstRow + 128];
    const sent = group('a2', {
      turns: [placed(first, a, { after: 'a1', sends: [row(ofTurn, { to: b })] })],
      rows: [row(n, { to: b }), row(nobody, { to: of(1, 1000) })],
    });
    const result = await first.commit(sent);
    expect(result).toEqual({ fenced: [], unknown: [nobody] });
    await second.commit(group('b2', { turns: [placed(second, b, { after: 'b1', handled: [n, ofTurn] })] }));
    expect(await first.commit(sent)).toEqual(result);
    expect(await numbers(second, b)).toEqual([]);
    await first.commit(group('a3', { rows: [row(first.firstRow + 192, { to: b })] }));
    expect(await numbers(second, b)).toEqual([first.firstRow + 192]);
  });

  it('has one of them make a row of a letter, and only one', async () => {
    const [first, second] = await two();
    const [n, mine, theirs] = [first.firstRow, first.firstRow + 64, second.firstRow];
    expect(await first.commit(group('a1', { rows: [row(n, { to: a })] }))).toMatchObject({ unknown: [n] });
    await begin(first, a, 'a2');
    const replay = (id: string, of: number) => {
      const rows: RowOfLetter[] = [{ ...row(of, { to: a }), letter: `row-${n}` }];
      return group(id, { rows, removedLetters: [`row-${n}`] });
    };
    const [one, other] = await Promise.all([
      first.commit(replay('a3', mine)),
      second.commit(replay('b1', theirs)),
    ]);
    const isMine = one.taken === undefined;
    expect([one.taken, other.taken]).toEqual(isMine ? [undefined, [theirs]] : [[mine], undefined]);
    expect(await numbers(first, a)).toEqual([isMine ? mine : theirs]);
    expect(await lettersOf(first)).toEqual([]);
    // The same group again says the same.
    expect(await second.commit(replay('b1', theirs))).toEqual(other);
    expect(await numbers(first, a)).toEqual([isMine ? mine : theirs]);
  });

  describe('while one ends an instance that another sends to', () => {
    const GATE = 7;
    let gate: Client;
    beforeAll(async () => {
      gate = new Client({ connectionString: server.url });
      await gate.connect();
    });
    afterAll(() => gate?.end());
    afterEach(() => gate.query('select pg_advisory_unlock_all()'));

    /** Has those who write or delete in a table stand still with all their locks, until the test lets them go. */
    async function hold(table: 'rows' | 'records'): Promise<{ readonly release: () => Promise<unknown> }> {
      await gate.query('select pg_advisory_lock($1)', [GATE]);
      server.sql(`create function ${schema}.stand() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(${GATE}); return coalesce(new, old); end $$;
        create trigger stand before insert or delete on ${schema}.${table} for each row execute function ${schema}.stand()`);
      return { release: () => gate.query('select pg_advisory_unlock($1)', [GATE]) };
    }
    /** Resolves when so many wait for a lock, or all is over. */
    async function standing(count: number, all: Promise<unknown>): Promise<void> {
      let isOver = false;
      void all.finally(() => (isOver = true)).catch(() => {});
      const sql = `select count(*)::integer as n from pg_stat_activity where wait_event_type = 'Lock'`;
      const isSo = async (): Promise<boolean> =>
        isOver || (await gate.query<{ n: number }>(sql)).rows[0]?.n === count;
      await expect.poll(isSo, { timeout: 20_000 }).toBe(true);
    }
    const end = (from: PostgresStore, address: string, after: string, sends: MailboxRow[] = []) =>
      from.commit(group('end', { turns: [placed(from, address, { after, end: true, sends })] }));

    it('the end takes what was sent before it', async () => {
      const [first, second] = await two();
      await begin(second, b, 'b1');
      const { release } = await hold('rows');
      const sent = first.commit(group('a1', { rows: [row(first.firstRow, { to: b })] }));
      await standing(1, sent);
      const ended = end(second, b, 'b1');
      await standing(2, ended);
      await release();
      expect(await sent).toEqual({ fenced: [], unknown: [] });
      await ended;
      expect(await numbers(second, b)).toEqual([]);
      expect(await lettersOf(second)).toEqual([`row-${first.firstRow} ${b} stopped`]);
    });

    it('what is sent after it finds nobody', async () => {
      const [first, second] = await two();
      await begin(second, b, 'b1');
      const [before, n] = [second.firstRow, first.firstRow];
      await second.commit(group('b2', { rows: [row(before, { to: b })] }));
      const { release } = await hold('rows');
      const ended = end(second, b, 'b1');
      await standing(1, ended);
      const sent = first.commit(group('a1', { rows: [row(n, { to: b })] }));
      await standing(2, sent);
      await release();
      expect(await sent).toEqual({ fenced: [], unknown: [n] });
      await ended;
      expect(await numbers(second, b)).toEqual([]);
      expect((await lettersOf(second)).toSorted()).toEqual(
        [`row-${before} ${b} stopped`, `row-${n} ${b} unknown-address`].toSorted(),
      );
    });

    it('two that end and send to each other both end', async () => {
      server.sql(`alter role holdfast set deadlock_timeout = '20ms'`);
      const [first, second] = await two();
      await begin(first, a, 'a1');
      await begin(second, b, 'b1');
      const { release } = await hold('records');
      const both = Promise.all([
        end(first, a, 'a1', [row(first.firstRow, { to: b })]),
        end(second, b, 'b1', [row(second.firstRow, { to: a })]),
      ]);
      await standing(2, both);
      await release();
      await both;
      expect([await first.load(a), await first.load(b)]).toEqual([undefined, undefined]);
      expect([await numbers(first, a), await numbers(first, b)]).toEqual([[], []]);
      expect(new Set((await lettersOf(first)).map((one) => one.split(' ')[0]))).toEqual(
        new Set([`row-${first.firstRow}`, `row-${second.firstRow}`]),
      );
    });
  });

  it('lists for each what is due in its partitions', async () => {
    const [first, second] = await two();
    await begin(first, a, 'a1');
    await begin(second, b, 'b1');
    const [n, later] = [first.firstRow, first.firstRow + 64];
    const rows = [row(n, { to: b }), row(later, { to: b, dueAt: 5_000_000_000_000 })];
    await first.commit(group('a2', { rows }));
    const now = Date.now();
    expect(await first.due(now, 10)).toEqual({ due: [], nextAt: undefined });
    const list = await second.due(now, 10);
    expect(list.due.map(({ address, why }) => [address, why])).toEqual([[b, 'row']]);
    expect(list.nextAt).toBe(5_000_000_000_000);
  });

  it('is fenced for both by one that opens it alone, and for that by a node', async () => {
    const [first, second] = await two();
    await begin(first, a, 'a1');
    const alone = store();
    await alone.open({ now: Date.now, warn() {} });
    for (const one of [first, second])
      await expect(one.commit(group('x', { rows: [row(1_000_000, { to: a })] }))).rejects.toMatchObject({
        code: 'STORE_LOCKED',
      });
    await expect(first.take([0])).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await alone.commit(
      group('s1', { turns: [turn({ address: a, after: 'a1', record: record({ address: a }) })] }),
    );
    await node(1);
    await expect(alone.commit(group('s2', {}))).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  });

  it('is fenced for a node by another that has its number, and for no other', async () => {
    const [first, second] = await two();
    const same = await node(0);
    await expect(begin(first, a, 'a1')).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await begin(same, a, 'a1');
    await begin(second, b, 'b1');
  });

  it('is brought on from the form before nodes, with all that is in it', async () => {
    schema = `n${schemas++}`;
    const before = store();
    await before.open({ now: Date.now, warn() {} });
    await before.commit(group('1', { turns: [turn({ address: a, record: record({ address: a }) })] }));
    await before.close();
    server.sql(`drop table ${schema}.partitions; update ${schema}.form set version = 1;
      alter table ${schema}.owner drop column node, drop column whole, add column one boolean primary key default true check (one)`);
    const [first] = [await node(0)];
    expect(await first.load(a)).toMatchObject({ commit: '1' });
    const next = placed(first, a, { after: '1', record: record({ address: a, seq: 2 }) });
    expect(await first.commit(group('2', { turns: [next] }))).toMatchObject({ fenced: [] });
  });
});
