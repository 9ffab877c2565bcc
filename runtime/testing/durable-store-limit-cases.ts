import assert from 'node:assert/strict';
import type { MailboxRow } from '../store/durable-store.ts';
import { type DurableStoreRules, MOST_ROWS } from './durable-store-stage.ts';
import {
  begin,
  group,
  keptId,
  letter,
  lettersOf,
  numbers,
  one,
  record,
  row,
  turn,
  two,
  written,
} from './durable-store-samples.ts';

/** Rows with the numbers from `first` to `last`. */
function rowsOf(first: number, last: number, change: Partial<MailboxRow> = {}): MailboxRow[] {
  return Array.from({ length: last - first + 1 }, (_, i) => row(first + i, change));
}

/** How many rows wait for an address. */
export const limitCases: DurableStoreRules = {
  async 'a row that a turn sends beyond the most becomes a letter, and its turn is written'({ store }) {
    await begin(store, '1', record(), record({ address: two }));
    await store.commit(group('2', { rows: rowsOf(1, MOST_ROWS - 1) }));
    const next = record({ address: two, seq: 2 });
    const sends = [
      row(100, { id: 'a', caller: 'host' }),
      row(101, { id: 'b', caller: 'host' }),
      row(102, { activate: true }),
    ];
    const over = group('3', {
      turns: [turn({ address: two, after: '1', record: next, sends: [...sends, row(103, { to: two })] })],
      ids: [keptId(), keptId({ id: 'b' })],
    });
    for (let i = 0; i < 2; i++) {
      const full = { fenced: [], unknown: [], full: [101, 102], crowded: [one] };
      assert.deepEqual(await store.commit(over), full);
      assert.deepEqual(await numbers(store), [...rowsOf(1, MOST_ROWS - 1).map(({ n }) => n), 100]);
      assert.deepEqual(await numbers(store, two), [103]);
      assert.deepEqual(await lettersOf(store), [
        'row-101 agent/one mailbox-full',
        'row-102 agent/one mailbox-full',
      ]);
      assert.equal((await store.load(two))?.commit, '3');
    }
    assert.equal((await store.id(one, 'host', 'a'))?.outcome, 'open');
    assert.equal(await store.id(one, 'host', 'b'), undefined);
  },
  async 'a row from the host beyond the most is not written, unless it takes the place of a letter'({
    store,
  }) {
    await begin(store, '1', record());
    await store.commit(group('2', { rows: rowsOf(1, MOST_ROWS), letters: [letter('l')] }));
    const over = group('3', { rows: [row(100, { id: 'a', caller: 'host' })], ids: [keptId()] });
    for (let i = 0; i < 2; i++) {
      const full = { fenced: [], unknown: [], full: [100], crowded: [one] };
      assert.deepEqual(await store.commit(over), full);
      assert.equal((await numbers(store)).length, MOST_ROWS);
      assert.deepEqual(await lettersOf(store), ['l agent/one crashed']);
      assert.equal(await store.id(one, 'host', 'a'), undefined);
    }
    const taken = { ...written, crowded: [one] };
    assert.deepEqual(await store.commit(group('4', { rows: [row(101)], removedLetters: ['l'] })), taken);
    assert.deepEqual(await lettersOf(store), []);
    assert.equal((await numbers(store)).length, MOST_ROWS + 1);
    await store.commit(group('5', { turns: [turn({ after: '1', handled: [1, 2] })] }));
    assert.deepEqual(await store.commit({ ...over, id: '6' }), taken);
    assert.equal((await store.id(one, 'host', 'a'))?.outcome, 'open');
  },
  async 'rows that are handled, or go with an end, make room, and those of others take none'({ store }) {
    await begin(store, '1', record(), record({ address: two }));
    await store.commit(group('2', { rows: [...rowsOf(1, MOST_ROWS), row(90, { to: two })] }));
    // In its own group, too; what is not there, or not its own, makes none.
    const handled = [1, 2, 90, 99];
    const result = await store.commit(
      group('3', { turns: [turn({ after: '1', handled })], rows: rowsOf(100, 102) }),
    );
    assert.deepEqual(result, { fenced: [], unknown: [], full: [102], crowded: [one] });
    const end = [turn({ after: '1', end: true }), turn({ record: record() })];
    assert.deepEqual(await store.commit(group('4', { turns: end, rows: [row(200)] })), written);
    assert.deepEqual(await numbers(store), [200]);
  },
  async 'rows with a time count, and the most is the same after an end of the process'({ store, reopen }) {
    await begin(store, '1', record());
    await store.commit(group('2', { rows: rowsOf(1, MOST_ROWS - 1, { dueAt: Number.MAX_SAFE_INTEGER }) }));
    for (const [i, how] of (['closed', 'killed'] as const).entries()) {
      const next = (await reopen(how))?.store;
      if (next === undefined) return;
      const result = await next.commit(group(`${3 + i}`, { rows: rowsOf(100, 101) }));
      assert.deepEqual(result, { fenced: [], unknown: [], full: [101], crowded: [one] });
      assert.equal((await numbers(next)).length, MOST_ROWS);
    }
  },
  async 'an address is crowded from four fifths of the most rows on'({ store }) {
    await begin(store, '1', record(), record({ address: two }));
    const few = Math.ceil(0.8 * MOST_ROWS) - 1;
    assert.deepEqual(await store.commit(group('2', { rows: rowsOf(1, few) })), written);
    const crowding = group('3', { rows: [row(100), row(101, { to: two })] });
    for (let i = 0; i < 2; i++)
      assert.deepEqual(await store.commit(crowding), { ...written, crowded: [one] });
    // Only where a row was sent.
    assert.deepEqual(await store.commit(group('4', { rows: [row(102, { to: two })] })), written);
    const less = group('5', { turns: [turn({ after: '1', handled: [1, 2] })], rows: [row(103)] });
    assert.deepEqual(await store.commit(less), written);
  },
};
