import assert from 'node:assert/strict';
import { assertCode, type DurableStoreRules, OPENED_AT } from './durable-store-stage.ts';
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
  stored,
  turn,
} from './durable-store-samples.ts';

/** Who owns a store, and what outlives the owner. */
export const ownerCases: DurableStoreRules = {
  async 'a store that is opened for the first time has a name, and nothing behind it'({ opened }) {
    assert.equal(typeof opened.storeId, 'string');
    assert.notEqual(opened.storeId, '');
    assert.deepEqual(opened.uncleanEnds, []);
    assert.equal(opened.restored, false);
    assert.ok(Number.isSafeInteger(opened.firstRow) && opened.firstRow >= 0);
  },
  async 'a store that is closed, or was never open, rejects'({ store, reopen }) {
    await store.close();
    await assertCode(store.load(one), 'STORE_FAILED');
    await assertCode(store.commit(group('1')), 'STORE_FAILED');
    await store.close();
    const next = await reopen('closed');
    if (next !== undefined) assert.equal(await next.store.load(one), undefined);
  },
  async 'a close waits for the calls before it'({ store, reopen }) {
    const calls = [store.commit(group('1', { turns: [turn({ record: record() })] })), store.load(one)];
    const closed = store.close();
    assert.equal(((await calls[1]) as { commit: string }).commit, '1');
    await closed;
    assert.deepEqual(
      (await (await reopen('closed'))?.store.load(one)) ?? stored(record(), '1'),
      stored(record(), '1'),
    );
  },
  ...Object.fromEntries(
    (['closed', 'killed'] as const).map((how) => [
      `what was written is there after the store was ${how}, and the fence with it`,
      async ({ store, opened, reopen }) => {
        const first = opened.firstRow;
        await begin(store, '1', record({ version: '1', dueAt: 5 }));
        await store.commit(
          group('2', {
            turns: [turn({ after: '1', steps: [{ start: 'p', key: 'k', value: '1' }] })],
            rows: [row(first), row(first + 1)],
            ids: [keptId({ outcome: 'done', value: '1' })],
            letters: [letter('l')],
          }),
        );
        const next = await reopen(how);
        if (next === undefined) return;
        assert.equal(next.opened.storeId, opened.storeId);
        assert.ok(next.opened.epoch > opened.epoch);
        assert.ok(next.opened.firstRow > first + 1);
        assert.deepEqual(next.opened.uncleanEnds, how === 'closed' ? [] : [OPENED_AT]);
        assert.deepEqual(await next.store.load(one), stored(record({ version: '1', dueAt: 5 }), '1'));
        assert.deepEqual(await numbers(next.store), [first, first + 1]);
        assert.equal((await next.store.id(one, 'host', 'a'))?.value, '1');
        assert.equal((await next.store.steps(one)).length, 1);
        assert.deepEqual(await lettersOf(next.store), ['l agent/one crashed']);
        const late = group('3', { turns: [turn({ after: '0', record: record() })] });
        assert.deepEqual((await next.store.commit(late)).fenced, [one]);
      },
    ]) satisfies [string, DurableStoreRules[string]][],
  ),
  async 'rows of the next opening have numbers of their own, also when none is left'({
    store,
    opened,
    reopen,
  }) {
    await begin(store, '1', record());
    const n = opened.firstRow + 5;
    await store.commit(group('2', { rows: [row(n)] }));
    await store.commit(group('3', { turns: [turn({ after: '1', handled: [n] })] }));
    for (const how of ['killed', 'closed'] as const) {
      const next = await reopen(how);
      if (next !== undefined) assert.ok(next.opened.firstRow > n);
    }
  },
  async 'ends without a close are remembered, the last ten'({ reopen }) {
    for (let i = 1; i <= 11; i++) {
      const next = await reopen('killed');
      if (next === undefined) return;
      assert.equal(next.opened.uncleanEnds.length, Math.min(i, 10));
    }
    const next = await reopen('closed');
    assert.equal(next?.opened.uncleanEnds.length, 10);
  },
  async 'the same group again after the process was killed changes nothing'({ store, reopen }) {
    await begin(store, '1', record());
    await store.commit(group('2', { rows: [row(1)] }));
    const same = group('3', {
      turns: [turn({ after: '1', end: true }), turn({ record: record() })],
      rows: [row(2)],
    });
    await store.commit(same);
    const next = (await reopen('killed'))?.store;
    if (next === undefined) return;
    await next.commit(same);
    assert.deepEqual(await numbers(next), [2]);
    assert.deepEqual(await lettersOf(next), ['row-1 agent/one stopped']);
  },
  async 'whoever was overtaken writes nothing any more'({ store, overtake }) {
    await begin(store, '1', record());
    const next = await overtake();
    if (next === undefined) return;
    const late = group('2', {
      turns: [turn({ after: '1', record: record({ state: 'late' }) })],
      rows: [row(1)],
    });
    await assertCode(store.commit(late), 'STORE_LOCKED');
    await assertCode(store.commit(group('3')), 'STORE_LOCKED');
    await assertCode(store.tidy(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), 'STORE_LOCKED');
    assert.deepEqual(await next.store.load(one), stored(record(), '1'));
    assert.deepEqual(await numbers(next.store), []);
    // Its close does not make a clean end for the other.
    await store.close();
    await next.store.commit(group('4', { turns: [turn({ after: '1', record: record({ seq: 2 }) })] }));
    assert.deepEqual(await next.store.load(one), stored(record({ seq: 2 }), '4'));
  },
};
