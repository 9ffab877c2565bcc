import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PARTITIONS } from '../../base/partition.ts';
import { hasPostgres, type Server, startServer } from '../../store/postgres/fixtures/server.ts';
import { assertShared, atRest } from '../fixtures/placement-cases.ts';
import { PlacedStores } from './fixtures/placed-stores.ts';

describe.skipIf(!hasPostgres)('a placement by the cluster of Effect, when something fails', () => {
  let server: Server;
  let placed: PlacedStores;
  beforeAll(async () => {
    server = await startServer();
    placed = new PlacedStores(server.url);
  }, 60_000);
  afterAll(() => server?.remove());
  afterEach(() => placed.stop());

  it('a database that is away for less than the time of a lock takes nothing from a node', async () => {
    placed.begin({ lockMs: 9000, silentMs: 5000 });
    const log: string[] = [];
    const { held } = await placed.start(await placed.create(), { log });
    const locks = (): string =>
      server.sql("select count(*) from pg_locks where locktype = 'advisory' and objsubid = 2");
    // Each look at them holds up the node, which is in this process.
    const seldom = { interval: 1000 };
    await expect.poll(locks, seldom).toBe(`${PARTITIONS}`);
    log.length = 0;
    await server.stop('immediate');
    await server.start();
    expect(locks()).toBe('0');
    await expect.poll(locks, seldom).toBe(`${PARTITIONS}`);
    expect(log).toEqual([]);
    expect(held.size).toBe(PARTITIONS);
  });

  it.each([0, 1, 2])(
    'of three nodes number %i is cut from the others, and leaves its partitions to them until it is back',
    async (lone) => {
      placed.begin({ lockMs: 6000, silentMs: 2500 });
      let isCut = false;
      const nodes = await Promise.all(
        [await placed.create(), await placed.create(), await placed.create()].map((placement) =>
          placed.start(placement, {
            reach: ({ node }) =>
              isCut && (node === lone || placement.self === lone)
                ? Promise.reject(new Error('cut'))
                : Promise.resolve(),
          }),
        ),
      );
      await atRest(() => assertShared(nodes));
      isCut = true;
      await atRest(() => assertShared(nodes.filter(({ placement }) => placement.self !== lone)));
      expect(nodes[lone]?.held.size).toBe(0);
      isCut = false;
      await atRest(() => assertShared(nodes));
    },
  );
});
