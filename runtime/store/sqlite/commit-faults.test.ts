import { expect, test } from 'vitest';
import { AT, group, one, record, row, turn, two } from '../../testing/durable-store-samples.ts';
import { storeFolder } from './fixtures/filled.ts';
import { OpenStore } from './open-store.ts';
import { packGroup } from './packed-group.ts';
import type { CommitFault } from './store-call.ts';

const { path, open } = storeFolder();

const points = (['before', 'within', 'after'] as const).flatMap((at) =>
  (['error', 'thread'] as const).map((what) => ({ at, what })),
);

test.each(points)(
  'amendment 1: a commit that fails $at its transaction ($what) is safe to send again, and those behind it are not written',
  async (fault: CommitFault) => {
    const file = path(`${fault.at}-${fault.what}.db`);
    const store = await open({ path: file });
    const first = group('1', { turns: [turn({ record: record() })], rows: [row(1)] });
    const second = group('2', {
      turns: [turn({ after: '1', record: record({ seq: 2 }), handled: [1] })],
      rows: [row(2)],
    });
    store.failNextCommit(fault);
    const outcomes = await Promise.allSettled([store.commit(first), store.commit(second), store.load(one)]);
    for (const outcome of outcomes.slice(0, 2))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FAILED' } });
    // Where the thread goes on, what was read behind the commit says whether that was written.
    const isThere = fault.at === 'after' && fault.what === 'error';
    expect((outcomes[2] as { value?: { commit: string } }).value?.commit).toBe(isThere ? '1' : undefined);
    for (const again of [first, second])
      expect(await store.commit(again)).toEqual({ fenced: [], unknown: [] });
    expect(await store.load(one)).toMatchObject({ commit: '2', seq: 2 });
    expect((await store.rows(one, -1, 10)).map(({ n }) => n)).toEqual([2]);
    await store.close();
    const next = await open({ path: file });
    expect(next.opened.uncleanEnds).toEqual([]);
    expect(await next.load(one)).toMatchObject({ commit: '2' });
    await next.close();
  },
);

test('amendment 9: a store whose thread has ended goes on in a new one, says so, and writes nothing that another owner took over', async () => {
  const file = path('overtaken.db');
  const store = await open({ path: file }, { lock: false });
  await store.commit(group('1', { turns: [turn({ record: record() })] }));
  store.failNextCommit({ at: 'before', what: 'thread' });
  await expect(store.commit(group('2'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  expect(await store.load(one)).toMatchObject({ commit: '1' });
  expect(store.warnings).toEqual(['the store goes on in a new thread']);
  store.failNextCommit({ at: 'before', what: 'thread' });
  await expect(store.commit(group('2'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  const other = await open({ path: file }, { lock: false });
  await expect(store.commit(group('2'))).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  expect((await other.load(one))?.commit).toBe('1');
});

test('a thread that says nothing counts as gone: its calls are rejected, and the next ones have another', async () => {
  const store = await open({ path: path('silent.db') }, { silentMs: 1000 });
  await store.commit(group('1', { turns: [turn({ record: record() })] }));
  store.failNextCommit({ at: 'within', what: 'silence' });
  const calls = await Promise.allSettled([
    store.commit(group('2', { turns: [turn({ after: '1', end: true })] })),
    store.load(one),
  ]);
  for (const call of calls)
    expect(call).toMatchObject({
      reason: { code: 'STORE_FAILED', message: expect.stringContaining('said nothing for 1 s') },
    });
  expect(await store.load(one)).toMatchObject({ commit: '1' });
}, 20_000);

test('with little room nothing begins and no row of the host is taken, and what is there goes on; without room nothing does', async () => {
  const store = await open({ path: path('small.db'), maxBytes: 4 * 1024 ** 2 });
  const filled = (seq: number, bytes: number): ReturnType<typeof record> =>
    record({ address: two, seq, state: 'x'.repeat(bytes) });
  const turns = [turn({ record: record() }), turn({ address: two, record: filled(1, 3_800_000) })];
  const letters = [{ id: 'l', address: one, reason: 'crashed', event: '{}', meta: '{}', at: AT }];
  await store.commit(group('1', { turns, rows: [row(1)], letters }));
  const newer = turn({ address: 'agent/new', record: record({ address: 'agent/new' }) });
  const handling = turn({ after: '1', record: record({ seq: 2 }), handled: [1], sends: [row(3)] });
  expect(
    await store.commit(group('2', { turns: [newer, handling], rows: [row(2)], removedLetters: ['l'] })),
  ).toEqual({
    fenced: [],
    unknown: [],
    refused: { addresses: ['agent/new'], rows: [2] },
  });
  expect((await store.rows(one, -1, 10)).map(({ n }) => n)).toEqual([3]);
  // The row that was to take its place was not taken.
  expect(await store.letters(undefined, 10)).toMatchObject([{ id: 'l' }]);
  const tooBig = group('3', {
    turns: [turn({ after: '2', record: record({ seq: 3, state: 'x'.repeat(2_000_000) }) })],
  });
  for (let i = 0; i < 2; i++)
    await expect(store.commit(tooBig)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('has no room: nothing of this was written'),
    });
  expect(await store.load(one)).toMatchObject({ commit: '2', seq: 2 });
  await store.commit(group('4', { turns: [turn({ address: two, after: '1', end: true })] }));
  expect(await store.commit(group('5', { turns: [newer], rows: [row(4)], removedLetters: ['l'] }))).toEqual({
    fenced: [],
    unknown: [],
  });
  expect(await store.letters(undefined, 10)).toEqual([]);
  expect(await store.commit(tooBig)).toEqual({ fenced: [], unknown: [] });
});

test('amendment 25: after an error of the disk the file is opened anew, and what is there counts; not after others, nor beside a new owner', async () => {
  const data = {
    path: path('error.db'),
    fsync: 'os',
    lockFolder: undefined,
    now: AT,
    epoch: undefined,
    thread: 0,
  } as const;
  const store = new OpenStore(data, () => {});
  const failed = (errcode: number): Error =>
    Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode });
  const [begun] = store.commit(0, [packGroup(group('1', { turns: [turn({ record: record() })] }))]);
  expect(begun).toEqual({ fenced: [], unknown: [] });
  const { epoch } = store.opened;
  // No room: SQLite has rolled back by itself, and the connection is as good as before.
  store.afterError(failed(13));
  expect(store.opened.epoch).toBe(epoch);
  store.afterError(failed(1034));
  expect(store.opened.epoch).toBe(epoch);
  expect(store.load(one)).toMatchObject({ commit: '1' });
  const again = group('2', { turns: [turn({ after: '1', record: record({ seq: 2 }) })] });
  expect(store.commit(0, [packGroup(again)])).toEqual([{ fenced: [], unknown: [] }]);
  const other = new OpenStore(data, () => {});
  expect(() => store.afterError(failed(1034))).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }));
  other.close();
});

test('a store goes on in a new thread however far the one before it came, and none before it writes any more', () => {
  const data = { path: path('threads.db'), fsync: 'os', lockFolder: undefined, now: AT } as const;
  const opened: OpenStore[] = [];
  const goOn = (thread: number): OpenStore => {
    const store = new OpenStore({ ...data, epoch: opened[0]?.opened.epoch, thread }, () => {});
    opened.push(store);
    return store;
  };
  const first = goOn(0);
  const begun = packGroup(group('1', { turns: [turn({ record: record() })] }));
  expect(first.commit(0, [begun])).toEqual([{ fenced: [], unknown: [] }]);
  // As after an error of the disk, of which the host hears nothing.
  first.afterError(Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 1034 }));
  // The second was opened, and its answer is lost.
  goOn(1);
  expect(goOn(2).load(one)).toMatchObject({ commit: '1' });
  const next = packGroup(group('2', { turns: [turn({ after: '1', record: record({ seq: 2 }) })] }));
  const locked = expect.objectContaining({ code: 'STORE_LOCKED' });
  for (const earlier of opened.slice(0, 2)) expect(() => earlier.commit(0, [next])).toThrow(locked);
  expect(() => goOn(1)).toThrow(locked);
  expect(opened[2]?.commit(0, [next])).toEqual([{ fenced: [], unknown: [] }]);
  for (const store of opened) store.close();
});

test.each(['error', 'thread'] as const)(
  'as many rows wait as may after a commit that was undone (%s)',
  async (what) => {
    const store = await open({ path: path(`most-${what}.db`) }, {}, { mostRows: 3 });
    const begun = [one, two].map((address) => turn({ address, record: record({ address }) }));
    await store.commit(group('1', { turns: begun, rows: [1, 2].map((n) => row(n, { to: two })) }));
    const sends = [3, 4, 5].map((n) => row(n, { to: two, from: one }));
    const handled = turn({ address: two, after: '1', handled: [1] });
    const flood = group('2', { turns: [handled, turn({ after: '1', record: record({ seq: 2 }), sends })] });
    store.failNextCommit({ at: 'within', what });
    await expect(store.commit(flood)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    const full = { fenced: [], unknown: [], full: [5], crowded: [two] };
    for (let i = 0; i < 2; i++) expect(await store.commit(flood)).toEqual(full);
    expect((await store.rows(two, 0, 10)).map(({ n }) => n)).toEqual([2, 3, 4]);
    expect(await store.letters(undefined, 10)).toMatchObject([{ id: 'row-5', reason: 'mailbox-full' }]);
    await store.close();
  },
);
