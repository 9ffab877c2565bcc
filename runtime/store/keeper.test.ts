import { describe, expect, it } from 'vitest';
import { memoryStore, type HoldfastError, type SnapshotStore } from 'holdfast';
import { FakeClock } from '../mailbox/fixtures/fake-clock.ts';
import { Keeper, STORE_MS } from './keeper.ts';
import { Snapshots } from './snapshots.ts';

const address = 'agent/one';
const state = (n: number) => ({ snapshot: { n }, timers: [] });
/** Lets promises go on that wait for nothing else. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A store whose saves end when the test says so. */
function held(store: SnapshotStore = memoryStore()) {
  const calls: { what: string; n: unknown; go: () => void; fail: (error: Error) => void }[] = [];
  const hold = <T>(what: string, n: unknown, run: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      calls.push({ what, n, go: () => void run().then(resolve, reject), fail: reject });
    });
  const wrapped: SnapshotStore = {
    durable: true,
    load: (one) => hold('load', one, () => store.load(one)),
    save: (record) => hold('save', (record.snapshot as { n: number }).n, () => store.save(record)),
    delete: (one, incarnation) => hold('delete', incarnation, () => store.delete(one, incarnation)),
  };
  return { store: wrapped, calls, said: () => calls.map(({ what, n }) => `${what} ${String(n)}`) };
}

const secretIn = (): undefined => undefined;

function rig(store: SnapshotStore) {
  const clock = Object.assign(new FakeClock(), { random: () => 0.5 });
  const warnings: unknown[] = [];
  const fenced: HoldfastError[] = [];
  const warn = (fields: object, message: string): number => warnings.push({ ...fields, message });
  const open = (): Keeper =>
    new Keeper({
      address,
      store,
      clock,
      warn,
      secretIn: (found) => (JSON.stringify(found).includes('CANARY') ? ['snapshot', 'note'] : undefined),
      fenced: (error) => fenced.push(error),
      after: Promise.resolve(false),
    });
  return { keeper: open(), open, clock, warnings, fenced, warn };
}

const stored = async (store: SnapshotStore): Promise<unknown> => (await store.load(address))?.snapshot;

describe('saves', () => {
  it('go one at a time; of what comes meanwhile only the newest is saved', async () => {
    const { store, calls, said } = held();
    const { keeper } = rig(store);
    for (const n of [1, 2, 3, 4]) keeper.keep(state(n), 1);
    await turn();
    expect(said()).toEqual(['save 4']);
    for (const n of [5, 6]) keeper.keep(state(n), 1);
    await turn();
    expect(said()).toEqual(['save 4']);
    calls[0]?.go();
    await turn();
    expect(said()).toEqual(['save 4', 'save 6']);
    expect(keeper.last).toEqual(state(6));
  });

  it('that fail are warned about once and tried again, later each time, with the newest state', async () => {
    const { store, calls, said } = held();
    const { keeper, clock, warnings } = rig(store);
    keeper.keep(state(1), 1);
    await turn();
    for (const wait of [1000, 2000, 4000]) {
      calls.at(-1)?.fail(new Error('disk full'));
      await turn();
      const before = calls.length;
      keeper.keep(state(before + 1), 1);
      clock.pass(wait - 1);
      await turn();
      expect(calls).toHaveLength(before);
      clock.pass(1);
      await turn();
      expect(calls).toHaveLength(before + 1);
    }
    expect(said()).toEqual(['save 1', 'save 2', 'save 3', 'save 4']);
    expect(warnings).toMatchObject([
      { address, error: { code: 'STORE_FAILED', cause: { message: 'disk full' } } },
    ]);
    calls.at(-1)?.go();
    await turn();
    keeper.keep(state(9), 1);
    await turn();
    calls.at(-1)?.fail(new Error('disk full'));
    await turn();
    expect(warnings).toHaveLength(2);
  });

  it('are tried again at once when the runtime ends', async () => {
    const { store, calls, said } = held();
    const { keeper } = rig(store);
    keeper.keep(state(1), 1);
    await turn();
    calls[0]?.fail(new Error('disk full'));
    await turn();
    const flushed = keeper.flushed();
    await turn();
    calls[1]?.go();
    await flushed;
    expect([said(), keeper.busy]).toEqual([['save 1', 'save 1'], false]);
  });

  it('that a store leaves out in silence still go on: a throw that is no promise is a failure', async () => {
    const { keeper, warnings } = rig({
      ...memoryStore(),
      save() {
        throw new TypeError('not yet');
      },
    });
    keeper.keep(state(1), 1);
    await turn();
    expect(warnings).toMatchObject([{ error: { code: 'STORE_FAILED' } }]);
  });
});

describe('Never two owners of a key while the store hangs, lies or is slow to release', () => {
  it('a save that hangs holds nobody up, and when it comes late it does not undo the newer one', async () => {
    const records = memoryStore();
    const { store, calls, said } = held(records);
    const { keeper, clock, warnings, fenced } = rig(store);
    keeper.keep(state(1), 1);
    await turn();
    keeper.keep(state(2), 1);
    clock.pass(STORE_MS);
    await turn();
    expect(warnings).toMatchObject([{ error: { code: 'STORE_FAILED' } }]);
    clock.pass(1000);
    await turn();
    expect(said()).toEqual(['save 1', 'save 2']);
    calls[1]?.go();
    await turn();
    calls[0]?.go();
    await turn();
    expect([await stored(records), fenced]).toEqual([{ n: 2 }, []]);
  });

  it('an instance whose save is refused ends, and writes and deletes nothing more', async () => {
    const store = memoryStore();
    const { keeper, fenced, open } = rig(store);
    keeper.keep(state(1), 1);
    await turn();
    const other = open();
    other.keep(state(10), 2);
    await turn();
    keeper.keep(state(2), 1);
    await turn();
    expect(fenced).toMatchObject([{ code: 'STORE_FENCED' }]);
    keeper.keep(state(3), 1);
    keeper.forget(1);
    await turn();
    expect([await stored(store), fenced.length]).toEqual([{ n: 10 }, 1]);
  });

  it('a delete that comes late leaves what the next one has saved', async () => {
    const records = memoryStore();
    const { store, calls } = held(records);
    const { keeper, fenced } = rig(store);
    keeper.keep(state(1), 1);
    await turn();
    calls[0]?.go();
    keeper.forget(1);
    await turn();
    await records.save({ v: 1, address, incarnation: 2, seq: 1, ...state(20), at: 0 });
    calls[1]?.go();
    await turn();
    expect([await stored(records), fenced]).toEqual([{ n: 20 }, []]);
  });

  it('whoever comes next at an address asks the store when the one before is done with it', async () => {
    const { store, calls, said } = held();
    const { clock, warn } = rig(store);
    const snapshots = new Snapshots({ store, clock, warn, secretIn });
    const first = snapshots.open(address, true, () => {});
    first.keep(state(1), 1);
    await turn();
    first.forget(1);
    snapshots.closed(address);
    const loaded = snapshots.open(address, true, () => {}).load();
    await turn();
    expect(said()).toEqual(['save 1']);
    calls[0]?.go();
    await turn();
    expect(said()).toEqual(['save 1', 'delete 1']);
    calls[1]?.go();
    await turn();
    calls[2]?.go();
    expect([said().at(-1), await loaded]).toEqual([`load ${address}`, undefined]);
    snapshots.closed(address);
    expect(snapshots.size).toBe(0);
  });
});

describe('a delete that fails while another already has the address', () => {
  async function taken(known: boolean) {
    const records = memoryStore();
    const { store, calls } = held(records);
    const { clock, warn } = rig(store);
    const snapshots = new Snapshots({ store, clock, warn, secretIn });
    const first = snapshots.open(address, true, () => {});
    first.keep(state(1), 1);
    await turn();
    if (known) calls[0]?.go();
    else calls[0]?.fail(new Error('read-only'));
    await turn();
    first.forget(1);
    snapshots.closed(address);
    const second = snapshots.open(address, true, () => {});
    const loaded = second.load();
    await turn();
    calls[1]?.fail(new Error('read-only'));
    await turn();
    calls[2]?.go();
    return { incarnation: await loaded, second, records, clock, calls };
  }

  it('is not tried again: it would take what that one has saved', async () => {
    const { incarnation, second, records, clock, calls } = await taken(false);
    expect(incarnation).toBeUndefined();
    second.keep(state(2), 1);
    await turn();
    calls[3]?.go();
    await turn();
    clock.pass(60_000);
    await turn();
    for (const call of calls.slice(4)) call.go();
    await turn();
    expect([calls.length, await stored(records)]).toEqual([4, { n: 2 }]);
  });

  it('leaves a record that nobody goes on from, and that the next save replaces', async () => {
    const { incarnation, second, records, calls } = await taken(true);
    expect([incarnation, second.last]).toEqual([1, undefined]);
    second.keep(state(2), 2);
    await turn();
    calls[3]?.go();
    await turn();
    expect(await records.load(address)).toMatchObject({ incarnation: 2, snapshot: { n: 2 } });
  });
});

it('nothing is kept of an instance that is gone, also when its record could be deleted only later', async () => {
  const { store, calls } = held();
  const { clock, warn, warnings } = rig(store);
  const snapshots = new Snapshots({ store, clock, warn, secretIn });
  snapshots.open(address, true, () => {}).forget(1);
  snapshots.closed(address);
  await turn();
  calls[0]?.fail(new Error('no route'));
  await turn();
  expect([snapshots.size, warnings.length]).toEqual([1, 1]);
  clock.pass(1000);
  await turn();
  calls[1]?.go();
  await turn();
  expect(snapshots.size).toBe(0);
});

describe('a load', () => {
  it('gives the incarnation, and the state is the last one from then on', async () => {
    const store = memoryStore();
    await store.save({ v: 1, address, incarnation: 7, seq: 1, ...state(1), version: '3', at: 0 });
    const { keeper } = rig(store);
    expect(await keeper.load()).toBe(7);
    expect(keeper.last).toEqual({ ...state(1), version: '3' });
  });

  it.each([
    ['fails', () => Promise.reject(new Error('no route')), /see the cause/],
    ['is of another format', () => Promise.resolve({ v: 2, address, incarnation: 1 }), /version/],
    ['is none', () => Promise.resolve('text'), /version/],
  ])('that %s is STORE_FAILED', async (_what, load, message) => {
    const { keeper } = rig({ ...memoryStore(), load: load as unknown as SnapshotStore['load'] });
    const error = await keeper.load().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'STORE_FAILED' });
    expect((error as Error).message).toMatch(message);
  });

  it('that hangs is STORE_FAILED after 5 s', async () => {
    const { store } = held();
    const { keeper, clock } = rig(store);
    const loading = keeper.load().catch((error: unknown) => error);
    await turn();
    clock.pass(STORE_MS);
    expect(await loading).toMatchObject({ code: 'STORE_FAILED' });
  });
});

it('a keeper that the store does not fill keeps the last state until the instance has ended', async () => {
  const snapshots = new Snapshots({
    store: held().store,
    clock: rig(memoryStore()).clock,
    warn: () => {},
    secretIn,
  });
  const keeper = snapshots.open(address, false, () => {});
  keeper.keep(state(1), 1);
  expect([keeper.last, keeper.keeps, keeper.stored, keeper.busy]).toEqual([state(1), true, false, false]);
  keeper.cannotKeep('a function');
  expect(keeper.keeps).toBe(true);
  keeper.forget(1);
  expect([keeper.last, keeper.busy]).toEqual([undefined, false]);
  keeper.cannotKeep('a function');
  expect(keeper.keeps).toBe(false);
});

describe('a state with the value of a secret', () => {
  const telling = { snapshot: { n: 2, note: 'CANARY' }, timers: [] };

  it('is not stored, and a restart goes on from it', async () => {
    const store = memoryStore();
    const { keeper, warnings } = rig(store);
    keeper.keep(state(1), 1);
    await keeper.flushed();
    keeper.keep(telling, 1);
    keeper.keep(telling, 1);
    await keeper.flushed();
    expect(await stored(store)).toEqual(state(1).snapshot);
    expect(keeper.last).toBe(telling);
    expect(warnings).toEqual([
      expect.objectContaining({
        address,
        error: expect.objectContaining({
          code: 'SECRET_IN_SNAPSHOT',
          message: expect.stringContaining('at snapshot.note;'),
        }),
      }),
    ]);
  });

  it('keeps none of the later ones from the store', async () => {
    const store = memoryStore();
    const { keeper } = rig(store);
    keeper.keep(telling, 1);
    keeper.keep(state(3), 1);
    await keeper.flushed();
    expect(await stored(store)).toEqual(state(3).snapshot);
  });
});
