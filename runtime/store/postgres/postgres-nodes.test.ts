import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PARTITIONS, partitionOf } from '../../base/partition.ts';
import { group, record, row, turn } from '../../testing/durable-store-samples.ts';
import type { PlacedTurn } from '../partitioned-store.ts';
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
