import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PARTITIONS } from '../../base/partition.ts';
import { hasPostgres, type Server, startServer } from '../../store/postgres/fixtures/server.ts';
import { openablePostgresStore, type PostgresStore } from '../../store/postgres/postgres-store.ts';
import {
  assertShared,
  atRest,
  type StartedNode,
  startNode,
  testPlacement,
} from '../fixtures/placement-cases.ts';
import type { ClusterNode, Placement } from '../placement.ts';
import { effectPlacement } from './effect-placement.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe.skipIf(!hasPostgres)('a placement by the cluster of Effect', () => {
  let server: Server;
  let schemas = 0;
  let schema = '';
  let ports = 7700;
  const stores = new Map<Placement, PostgresStore>();
  const placements: Placement[] = [];

  beforeAll(async () => {
    server = await startServer();
  }, 60_000);
  afterAll(() => server?.remove());
  afterEach(async () => {
    for (const placement of placements.splice(0)) await placement.stop();
    for (const store of stores.values()) await store.close().catch(() => {});
    stores.clear();
  });

  /** A node with its store, not yet started. */
  async function node(at = `127.0.0.1:${ports++}`): Promise<Placement> {
    const placement = await effectPlacement(
      { listen: at, url: server.url, schema, logger: silent },
      { lockMs: 3000, silentMs: 5000 },
    );
    placements.push(placement);
    const store = openablePostgresStore({ url: server.url, schema });
    await store.openNode({ now: Date.now, warn() {}, node: placement.self });
    stores.set(placement, store);
    return placement;
  }
  const take = (placement: Placement, partitions: readonly number[]): Promise<void> =>
    (stores.get(placement) as PostgresStore).take(partitions);
  const start = (
    placement: Placement,
    reach: (node: ClusterNode) => Promise<void> = () => Promise.resolve(),
    log: string[] = [],
  ): Promise<StartedNode> =>
    startNode(placement, {
      reach,
      async take(partitions) {
        await take(placement, partitions);
        for (const partition of partitions) log.push(`${placement.self} takes ${partition}`);
      },
      lost(partitions) {
        for (const partition of partitions) log.push(`${placement.self} lost ${partition}`);
      },
    });

  testPlacement({
    test: it,
    counts: [1, 3],
    take,
    async create(count) {
      schema = `s${schemas++}`;
      const created: Placement[] = [];
      for (let i = 0; i < count; i++) created.push(await node());
      return created;
    },
  });

  it('a node that joins gets its share, one that stops leaves its own to the others, and who loses a partition hears of it first', async () => {
    schema = `s${schemas++}`;
    const log: string[] = [];
    const first = await start(await node(), undefined, log);
    expect(first.held.size).toBe(PARTITIONS);
    const second = await start(await node(), undefined, log);
    await atRest(() => assertShared([first, second]));
    expect(second.held.size).toBe(PARTITIONS / 2);
    for (const partition of second.held)
      expect(log.indexOf(`0 lost ${partition}`)).toBeLessThan(log.indexOf(`1 takes ${partition}`));
    await second.placement.stop();
    expect(second.held.size).toBe(0);
    await atRest(() => assertShared([first]));
    await atRest(() => expect(first.placement.nodes()).toHaveLength(1));
  });

  it('a node whose partition another has taken loses it, and takes it again while it is its own', async () => {
    schema = `s${schemas++}`;
    const log: string[] = [];
    const { placement, held } = await start(await node(), undefined, log);
    const other = openablePostgresStore({ url: server.url, schema });
    await other.openNode({ now: Date.now, warn() {}, node: placement.self + 1 });
    await other.take([5]);
    await other.close();
    await atRest(() =>
      expect(log.filter((line) => line.endsWith(' 5'))).toEqual(['0 takes 5', '0 lost 5', '0 takes 5']),
    );
    expect(held.size).toBe(PARTITIONS);
  });

  it('says all that is wrong with its options at once', async () => {
    await expect(effectPlacement({ listen: '0.0.0.0:7700', url: '', logger: silent })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/listen.*url/s),
    });
  });
});
