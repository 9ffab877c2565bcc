import assert from 'node:assert/strict';
import type { DurableStoreRules } from './durable-store-stage.ts';
import { AT, begin, group, one, record, row, turn, two } from './durable-store-samples.ts';

/** Who has something to do, and when. */
export const dueCases: DurableStoreRules = {
  async 'nobody is due in an empty store, and nobody who waits for nothing'({ store }) {
    assert.deepEqual(await store.due(AT, 10), { due: [], nextAt: undefined });
    await begin(store, '1', record());
    assert.deepEqual(await store.due(AT, 10), { due: [], nextAt: undefined });
  },
  async 'due are rows, timers and active children, oldest first, an address once'({ store }) {
    await begin(
      store,
      '1',
      record({ address: 'a/timer', dueAt: AT - 2 }),
      record({ address: 'a/child', wakes: true }),
      record({ address: 'a/row' }),
      record({ address: 'a/all', dueAt: AT - 1, wakes: true }),
      record({ address: 'a/later', dueAt: AT + 7 }),
      record({ address: 'a/late-row' }),
    );
    const rows = [
      row(1, { to: 'a/row' }),
      row(2, { to: 'a/row' }),
      row(3, { to: 'a/all' }),
      row(4, { to: 'a/late-row', dueAt: AT + 5 }),
    ];
    await store.commit(group('2', { at: AT + 1, rows }));
    assert.deepEqual(await store.due(AT + 2, 10), {
      due: [
        { address: 'a/timer', since: AT - 2, why: 'timer' },
        { address: 'a/all', since: AT - 1, why: 'timer' },
        { address: 'a/child', since: AT, why: 'child' },
        { address: 'a/row', since: AT + 1, why: 'row' },
      ],
      nextAt: AT + 5,
    });
    const later = await store.due(AT + 5, 10);
    assert.deepEqual(later.due.at(-1), { address: 'a/late-row', since: AT + 5, why: 'row' });
    assert.equal(later.nextAt, AT + 7);
    assert.equal((await store.due(AT + 7, 10)).nextAt, undefined);
  },
  async 'rows without a time and active children are due whatever the clock says'({ store }) {
    const ahead = AT + 3_600_000;
    await store.commit(
      group('1', {
        at: ahead,
        turns: [
          turn({ address: 'a/child', record: record({ address: 'a/child', wakes: true }) }),
          turn({ address: 'a/row', record: record({ address: 'a/row' }) }),
          turn({ address: 'a/timer', record: record({ address: 'a/timer', dueAt: ahead + 1 }) }),
          turn({ address: 'a/later', record: record({ address: 'a/later' }) }),
        ],
        rows: [row(1, { to: 'a/row' }), row(2, { to: 'a/later', dueAt: ahead })],
      }),
    );
    const due = [
      { address: 'a/child', since: ahead, why: 'child' },
      { address: 'a/row', since: ahead, why: 'row' },
    ];
    assert.deepEqual(await store.due(AT, 10), { due, nextAt: ahead });
    assert.deepEqual((await store.due(AT, 10, { since: ahead, address: 'a/child' })).due, due.slice(1));
    assert.deepEqual((await store.due(AT, 10, { since: ahead, address: 'a/row' })).due, []);
  },
  async 'of two things since the same time a row comes before a timer, and a timer before a child'({
    store,
  }) {
    await begin(
      store,
      '1',
      record({ dueAt: AT, wakes: true }),
      record({ address: two, dueAt: AT, wakes: true }),
    );
    await store.commit(group('2', { rows: [row(1, { to: two })] }));
    assert.deepEqual((await store.due(AT, 10)).due, [
      { address: one, since: AT, why: 'timer' },
      { address: two, since: AT, why: 'row' },
    ]);
  },
  async 'who is quarantined is not due, and is again when that ends'({ store }) {
    await begin(
      store,
      '1',
      record({ dueAt: AT, wakes: true, quarantined: true }),
      record({ address: two, dueAt: AT + 9, quarantined: true }),
    );
    await store.commit(group('2', { rows: [row(1), row(2, { dueAt: AT + 5 })] }));
    assert.deepEqual(await store.due(AT, 10), { due: [], nextAt: undefined });
    await store.commit(group('3', { turns: [turn({ after: '1', record: record() })] }));
    assert.deepEqual(await store.due(AT, 10), {
      due: [{ address: one, since: AT, why: 'row' }],
      nextAt: AT + 5,
    });
  },
  async 'who has handled the row, reached the timer or ended is not due any more'({ store }) {
    await begin(
      store,
      '1',
      record({ dueAt: AT }),
      record({ address: two }),
      record({ address: 'agent/3', wakes: true }),
    );
    await store.commit(group('2', { rows: [row(1, { to: two })] }));
    assert.equal((await store.due(AT, 10)).due.length, 3);
    await store.commit(
      group('3', {
        turns: [
          turn({ after: '1', record: record({ seq: 2, dueAt: AT + 3 }) }),
          turn({ address: two, after: '1', handled: [1] }),
          turn({ address: 'agent/3', after: '1', end: true }),
        ],
      }),
    );
    assert.deepEqual(await store.due(AT, 10), { due: [], nextAt: AT + 3 });
  },
  async 'what is due is read in pages, without an end or a gap'({ store }) {
    const all = Array.from({ length: 50 }, (_, n) =>
      record({ address: `a/${n}`, dueAt: AT + (n % 7), wakes: n % 3 === 0 }),
    );
    await begin(store, '1', ...all);
    await store.commit(
      group('2', { rows: all.map(({ address }, n) => row(n, { to: address, dueAt: AT + (n % 5) })) }),
    );
    const seen = new Set<string>();
    let after: { since: number; address: string } | undefined;
    for (let pages = 0; ; pages++) {
      assert.ok(pages < 100, 'it does not end');
      const { due } = await store.due(AT + 100, 7, after);
      assert.ok(due.length <= 7);
      const inOrder = due.toSorted((a, b) => a.since - b.since || (a.address < b.address ? -1 : 1));
      assert.deepEqual(due, inOrder);
      for (const { address } of due) seen.add(address);
      after = due.at(-1);
      if (after === undefined) break;
    }
    assert.equal(seen.size, 50);
    assert.equal((await store.due(AT + 100, 1000)).due.length, 50);
    assert.deepEqual((await store.due(AT + 100, 0)).due, []);
  },
};
