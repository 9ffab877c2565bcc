import assert from 'node:assert/strict';
import type { KeptStep } from '../store/durable-store.ts';
import type { DurableStoreRules } from './durable-store-stage.ts';
import {
  AT,
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

const step = (start: string, key: string, value: KeptStep['value'] = '1'): KeptStep => ({
  start,
  key,
  value,
});

/** Ids, steps and letters. */
export const keptCases: DurableStoreRules = {
  async 'an id is kept for its address and its caller, each field of it'({ store }) {
    const all = [
      keptId({ outcome: 'done', value: '{"n":1}' }),
      keptId({ caller: 'other', outcome: 'failed', value: Uint8Array.of(1, 2) }),
      keptId({ address: two, outcome: 'unkept', hash: 'x', until: AT + 0.5 }),
      keptId({ id: 'a ' }),
      keptId({ id: 'a\0', outcome: 'done', value: '2' }),
      keptId({ id: '\u0001"a\\u0000"' }),
    ];
    await store.commit(group('1', { ids: all }));
    for (const kept of all) {
      const found = await store.id(kept.address, kept.caller, kept.id);
      const value = found?.value instanceof Uint8Array ? Uint8Array.from(found.value) : found?.value;
      assert.deepEqual({ ...found, ...(value !== undefined && { value }) }, kept);
    }
    assert.equal(await store.id(two, 'other', 'a'), undefined);
  },
  async 'an id that comes again replaces what was kept'({ store }) {
    await begin(store, '1', record());
    await store.commit(group('2', { ids: [keptId()] }));
    const done = keptId({ outcome: 'done', value: '1', until: AT + 5 });
    await store.commit(group('3', { turns: [turn({ after: '1', ids: [done] })] }));
    assert.deepEqual(await store.id(one, 'host', 'a'), done);
    await store.commit(group('4', { ids: [keptId()] }));
    assert.deepEqual(await store.id(one, 'host', 'a'), keptId());
  },
  async 'what is tidied is ids whose time is up, and letters from before a time'({ store }) {
    const ids = [
      keptId({ until: AT }),
      keptId({ id: 'b', until: AT + 1 }),
      keptId({ id: 'c', until: AT - 1, outcome: 'done' }),
    ];
    await store.commit(group('1', { ids, letters: [letter('x', { at: 5 }), letter('y', { at: 6 })] }));
    await store.tidy(AT, 6);
    const left = await Promise.all(['a', 'b', 'c'].map((id) => store.id(one, 'host', id)));
    assert.deepEqual(
      left.map((kept) => kept?.id),
      [undefined, 'b', undefined],
    );
    assert.deepEqual(
      (await store.letters(undefined, 10)).map(({ id }) => id),
      ['y'],
    );
  },
  async 'steps are kept by start and key, in that order, until their start has ended'({ store }) {
    await begin(store, '1', record(), record({ address: two }));
    const first = [step('p#1', 'b'), step('p#1', 'a', Uint8Array.of(7)), step('p#2', 'a')];
    await store.commit(
      group('2', {
        turns: [
          turn({ after: '1', steps: first }),
          turn({ address: two, after: '1', steps: [step('p#1', 'a')] }),
        ],
      }),
    );
    assert.deepEqual(plain(await store.steps(one)), plain([first[1], first[0], first[2]] as KeptStep[]));
    const again = [step('p#2', 'a', '2'), step('p#3', 'a')];
    await store.commit(
      group('3', { turns: [turn({ after: '1', steps: again, endedStarts: ['p#1', 'p#3', 'none'] })] }),
    );
    assert.deepEqual(await store.steps(one), [again[0]]);
    assert.deepEqual(await store.steps(two), [step('p#1', 'a')]);
  },
  async 'a step alone is written under the fence of its record, and once when its group comes again'({
    store,
  }) {
    await begin(store, '1', record());
    const keys = ['1', '1.0', ' ', 'a', 'a\0b', '\u0001"a\\u0000b"', '\u{1d4b3}'];
    const steps = keys.map((key) => step('p#1', key));
    const taken = group('2', { turns: [turn({ after: '1', steps })] });
    assert.deepEqual((await store.commit(taken)).fenced, []);
    assert.deepEqual((await store.commit(taken)).fenced, []);
    const late = group('3', { turns: [turn({ after: '0', steps: [step('p#1', 'late')] })] });
    assert.deepEqual((await store.commit(late)).fenced, [one]);
    assert.deepEqual((await store.steps(one)).map(({ key }) => key).toSorted(), keys.toSorted());
    assert.equal((await store.load(one))?.commit, '1');
  },
  async 'letters are read by age in pages, and removed by their ids'({ store }) {
    await store.commit(
      group('1', {
        letters: [
          letter('c', { at: 2 }),
          letter('b', { at: 2 }),
          letter('a', { at: 3 }),
          letter('d', { at: 1, event: Uint8Array.of(1), meta: '{"why":"x"}' }),
        ],
      }),
    );
    const page = async (after?: { at: number; id: string }): Promise<string[]> =>
      (await store.letters(after, 2)).map(({ id }) => id);
    assert.deepEqual(await page(), ['d', 'b']);
    await store.commit(group('2', { removedLetters: ['b', 'none'] }));
    // Also behind one that is gone.
    assert.deepEqual(await page({ at: 2, id: 'b' }), ['c', 'a']);
    assert.deepEqual(await page({ at: 3, id: 'a' }), []);
    const [oldest] = await store.letters(undefined, 1);
    assert.deepEqual(
      { ...oldest, event: Uint8Array.from(oldest?.event as Uint8Array) },
      letter('d', { at: 1, event: Uint8Array.of(1), meta: '{"why":"x"}' }),
    );
  },
  async 'a letter with an id that is there replaces it'({ store }) {
    await store.commit(group('1', { letters: [letter('a', { at: 1 }), letter('b', { at: 2 })] }));
    await store.commit(group('2', { letters: [letter('a', { at: 3, reason: 'poison' })] }));
    assert.deepEqual(
      (await store.letters(undefined, 10)).map(({ id, reason }) => `${id} ${reason}`),
      ['b crashed', 'a poison'],
    );
  },
  async 'a letter is replayed by a row in its place'({ store }) {
    await begin(store, '1', record());
    await store.commit(group('2', { letters: [letter('a')] }));
    await store.commit(group('3', { removedLetters: ['a'], rows: [row(1)] }));
    assert.deepEqual(await store.letters(undefined, 10), []);
    assert.deepEqual(await store.rows(one, -1, 10), [row(1)]);
  },
  async 'a letter stays when there is no room for the row in its place, until there is'({
    store,
    crowd,
    reopen,
  }) {
    const filler = record({ address: two, state: 'x'.repeat(1_500_000) });
    await begin(store, '1', record(), filler);
    const before = group('2', { letters: [letter('a'), letter('b')], rows: [row(1)] });
    await store.commit(before);
    const crowded = (await crowd())?.store;
    if (crowded === undefined) return;
    const replay = group('3', { removedLetters: ['a'], rows: [row(2)] });
    const refused = { addresses: [], rows: [2] };
    for (let i = 0; i < 2; i++)
      assert.deepEqual(await crowded.commit(replay), { fenced: [], unknown: [], refused });
    assert.deepEqual(await lettersOf(crowded), ['a agent/one crashed', 'b agent/one crashed']);
    assert.deepEqual(await numbers(crowded), [1]);
    // What was written while there was room was not refused, and what takes no room is written.
    assert.deepEqual(await crowded.commit(before), written);
    assert.deepEqual(await crowded.commit(group('4', { removedLetters: ['b'] })), written);
    assert.deepEqual(await lettersOf(crowded), ['a agent/one crashed']);
    const roomy = (await reopen('closed'))?.store;
    if (roomy === undefined) return;
    assert.deepEqual(await roomy.commit(replay), written);
    assert.deepEqual(await lettersOf(roomy), []);
    assert.deepEqual(await numbers(roomy), [1, 2]);
  },
  async 'the id of a row for which there is no room is not open, however often its group comes'({
    store,
    crowd,
  }) {
    await begin(store, '1', record(), record({ address: two, state: 'x'.repeat(1_500_000) }));
    const given = row(1, { id: 'a', caller: 'host' });
    await store.commit(group('2', { rows: [given], ids: [keptId()] }));
    const crowded = (await crowd())?.store;
    if (crowded === undefined) return;
    const late = group('3', {
      rows: [given, row(2, { id: 'b', caller: 'host' })],
      ids: [keptId(), keptId({ id: 'b' })],
    });
    const refused = { addresses: [], rows: [2] };
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(await crowded.commit(late), { fenced: [], unknown: [], refused });
      assert.equal((await crowded.id(one, 'host', 'a'))?.outcome, 'open');
      assert.equal(await crowded.id(one, 'host', 'b'), undefined);
    }
  },
  async 'the size counts what is there'({ store }) {
    const { bytes: _, ...none } = await store.size();
    assert.deepEqual(none, { records: 0, rows: 0, letters: 0, ids: 0 });
    await begin(store, '1', record(), record({ address: two }));
    await store.commit(
      group('2', {
        rows: [row(1), row(2), row(3, { to: 'agent/none' })],
        ids: [keptId()],
        letters: [letter('a'), letter('b')],
      }),
    );
    const { bytes, ...some } = await store.size();
    assert.deepEqual(some, { records: 2, rows: 2, letters: 3, ids: 1 });
    assert.ok(bytes >= 0 && (!store.durable || bytes > 0));
    await store.commit(group('3', { turns: [turn({ after: '1', end: true })], removedLetters: ['a'] }));
    await store.tidy(AT + 1000, 0);
    const { bytes: _after, ...less } = await store.size();
    assert.deepEqual(less, { records: 1, rows: 0, letters: 4, ids: 0 });
  },
};

function plain(steps: readonly KeptStep[]): unknown {
  return steps.map(({ value, ...rest }) => ({
    ...rest,
    value: typeof value === 'string' ? value : Uint8Array.from(value),
  }));
}
