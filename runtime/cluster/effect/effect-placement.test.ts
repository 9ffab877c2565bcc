import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PARTITIONS } from '../../base/partition.ts';
import { hasPostgres, type Server, startServer } from '../../store/postgres/fixtures/server.ts';
import { assertShared, atRest, testPlacement } from '../fixtures/placement-cases.ts';
import type { Placement } from '../placement.ts';
import { PlacedStores } from './fixtures/placed-stores.ts';

describe.skipIf(!hasPostgres)('a placement by the cluster of Effect', () => {
  let server: Server;
  let placed: PlacedStores;
  beforeAll(async () => {
    server = await startServer();
    placed = new PlacedStores(server.url);
  }, 60_000);
  afterAll(() => server?.remove());
  afterEach(() => placed.stop());

  testPlacement({
    test: it,
    counts: [1, 3],
    take: (placement, partitions) => placed.take(placement, partitions),
    async create(count) {
      placed.begin();
      const created: Placement[] = [];
      for (let i = 0; i < count; i++) created.push(await placed.create());
      return created;
    },
  });

  it.each([false, true])(
    'a node that joins gets its share, one that stops leaves its own to the others, and who loses a partition hears of it first: with locks that are rows %s',
    async (rowLocks) => {
      placed.begin({ lockMs: 3000, silentMs: 5000, rowLocks });
      const log: string[] = [];
      const first = await placed.start(await placed.create(), { log });
      expect(first.held.size).toBe(PARTITIONS);
      const second = await placed.start(await placed.create(), { log });
      await atRest(() => assertShared([first, second]));
      expect(second.held.size).toBe(PARTITIONS / 2);
      for (const partition of second.held)
        expect(log.indexOf(`0 lost ${partition}`)).toBeLessThan(log.indexOf(`1 takes ${partition}`));
      await second.placement.stop();
      expect(second.held.size).toBe(0);
      await atRest(() => assertShared([first]));
      const locks = "select count(*) from pg_locks where locktype = 'advisory' and objsubid = 2";
      expect(server.sql(locks)).toBe(rowLocks ? '0' : `${PARTITIONS}`);
      await atRest(() => expect(first.placement.nodes()).toHaveLength(1));
    },
  );

  it('a node whose partition another has taken loses it, and takes it again while it is its own', async () => {
    placed.begin();
    const log: string[] = [];
    const { placement, held } = await placed.start(await placed.create(), { log });
    const other = placed.store();
    await other.openNode({ now: Date.now, warn() {}, node: placement.self + 1 });
    await other.take([5]);
    await other.close();
    await atRest(() =>
      expect(log.filter((line) => line.endsWith(' 5'))).toEqual(['0 takes 5', '0 lost 5', '0 takes 5']),
    );
    expect(held.size).toBe(PARTITIONS);
  });
});
