import assert from 'node:assert/strict';
import type { StateParts } from '../store/durable-store.ts';
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
  stored,
  turn,
  two,
  written,
} from './durable-store-samples.ts';

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31) % 256);

/** What a group writes, and what it does not. */
export const commitCases: DurableStoreRules = {
  async 'an address that was never written has no record, no rows and no steps'({ store }) {
    assert.equal(await store.load(one), undefined);
    assert.deepEqual(await store.rows(one, -1, 10), []);
    assert.deepEqual(await store.steps(one), []);
    assert.equal(await store.id(one, 'host', 'a'), undefined);
  },
  async 'an empty group is written'({ store }) {
    assert.deepEqual(await store.commit(group('1')), written);
  },
  async 'a record is loaded as it was written, each field of it, with its group and time'({ store }) {
    const whole = record({
      incarnation: 3,
      seq: 9_007_199_254_740_991,
      version: '1.2',
      dueAt: AT + 0.5,
      wakes: true,
      quarantined: true,
    });
    const bare = record({ address: two });
    await begin(store, '1', whole, bare);
    assert.deepEqual(await store.load(one), stored(whole, '1'));
    assert.deepEqual(await store.load(two), stored(bare, '1'));
  },
  async 'text stays text and bytes stay bytes, also in a view of larger memory'({ store }) {
    const view = bytes(4000).subarray(1000, 2000);
    for (const [i, state] of ['', '{}', bytes(0), bytes(3), view, Buffer.from('ab')].entries()) {
      await begin(store, `${i}`, record({ address: `agent/${i}`, state }));
      const loaded = (await store.load(`agent/${i}`))?.state;
      assert.equal(typeof loaded, typeof state);
      assert.deepEqual(typeof loaded === 'string' ? loaded : Uint8Array.from(loaded ?? [1]), copyOf(state));
    }
  },
  async 'a state whose long texts come on their own, each once, is loaded whole'({ store }) {
    const parts = (text: string, ...added: readonly [number, string][]): StateParts => ({
      text,
      isWhole: added.some(([n]) => n === 1),
      added,
      removed: [],
    });
    const first = { state: '["ab"]', parts: parts('[\u00011,2\u0001]', [1, '"a'], [2, 'b"']) };
    const then = { state: '["ab",1]', parts: parts('[\u00011,2\u0001,1]') };
    const anew = { state: '["c"]', parts: parts('[\u00011\u0001]', [1, '"c"']) };
    for (const [i, of] of [first, then, anew, { state: '[]' }].entries()) {
      const after = i === 0 ? undefined : `${i}`;
      const turns = [turn({ after, record: record({ seq: i + 1, ...of }) })];
      assert.deepEqual(await store.commit(group(`${i + 1}`, { turns })), written);
      assert.deepEqual(await store.load(one), stored(record({ seq: i + 1, state: of.state }), `${i + 1}`));
    }
  },
  async 'long texts may come ahead of their state, and are nothing of the one before'({ store }) {
    if (store.textsAhead !== true) return;
    const first = { text: '[\u00011\u0001]', isWhole: true, added: [[1, '"a"']] as const, removed: [] };
    const next = { text: '[\u00012,3\u0001]', isWhole: false, added: [[3, 'c"']] as const, removed: [1] };
    await begin(store, '1', record({ state: '["a"]', parts: first }));
    const ahead = (after: string) => [turn({ after, texts: [[2, '"b']] })];
    const refused = await store.commit(group('2', { turns: ahead('0') }));
    assert.deepEqual(refused.fenced, [one]);
    for (let again = 0; again < 2; again++)
      assert.deepEqual(await store.commit(group('3', { turns: ahead('1') })), written);
    assert.deepEqual(await store.load(one), stored(record({ state: '["a"]' }), '1'));
    const then = record({ seq: 2, state: '["bc"]', parts: next });
    await store.commit(group('4', { turns: [turn({ after: '1', record: then })] }));
    assert.deepEqual(await store.load(one), stored(record({ seq: 2, state: '["bc"]' }), '4'));
  },
  async 'a state of five megabytes is kept whole'({ store }) {
    const [text, binary] = [`["${'ü'.repeat(2_500_000)}"]`, bytes(5_000_000)];
    await begin(store, '1', record({ state: text }), record({ address: two, state: binary }));
    assert.ok((await store.load(one))?.state === text, 'the text is not what was written');
    const loaded = (await store.load(two))?.state;
    assert.ok(Buffer.from(binary).equals(loaded as Uint8Array), 'the bytes are not what was written');
  },
  async 'a state that follows replaces the one before, with all that it does not have any more'({ store }) {
    await begin(store, '1', record({ version: '1', dueAt: AT, wakes: true, quarantined: true }));
    const next = record({ seq: 2, state: '2' });
    await store.commit(group('2', { at: AT + 1, turns: [turn({ after: '1', record: next })] }));
    assert.deepEqual(await store.load(one), stored(next, '2', AT + 1));
    assert.deepEqual(await store.due(AT + 10, 10), { due: [], nextAt: undefined });
  },
  async 'addresses that look alike are not mixed up'({ store }) {
    const alike = [
      'agent/1',
      'agent/10',
      'agent/01',
      'Agent/1',
      'agent/1%2F2',
      'agent/1%',
      'agent/_',
      'agent/é',
      'agent/e\u0301',
      'agent/',
    ];
    await begin(store, '1', ...alike.map((address) => record({ address, state: address })));
    for (const address of alike) assert.equal((await store.load(address))?.state, address);
    await store.commit(group('2', { turns: [turn({ address: 'agent/1', after: '1', end: true })] }));
    const left = await store.records(undefined, 100);
    assert.deepEqual(new Set(left.map(({ address }) => address)), new Set(alike.slice(1)));
  },
  async 'a turn that follows another group than wrote the record is fenced, and nothing of it is written'({
    store,
  }) {
    await begin(store, '1', record(), record({ address: two }));
    await store.commit(
      group('2', { turns: [turn({ after: '1', record: record({ seq: 2 }) })], rows: [row(1)] }),
    );
    const late = turn({
      after: '1',
      record: record({ seq: 3 }),
      handled: [1],
      sends: [row(2, { to: two })],
      ids: [keptId()],
      steps: [{ start: 'p', key: 'k', value: '1' }],
      letters: [letter('l')],
    });
    const other = turn({ address: two, after: '1', record: record({ address: two, seq: 2 }) });
    const result = await store.commit(group('3', { turns: [late, other], rows: [row(4)] }));
    assert.deepEqual(result, { fenced: [one], unknown: [] });
    assert.deepEqual(await store.load(one), stored(record({ seq: 2 }), '2'));
    assert.deepEqual(await numbers(store), [1, 4]);
    assert.deepEqual(await numbers(store, two), []);
    assert.equal(await store.id(one, 'host', 'a'), undefined);
    assert.deepEqual(await store.steps(one), []);
    assert.deepEqual(await lettersOf(store), []);
    // The rest of the group is.
    assert.equal((await store.load(two))?.commit, '3');
  },
  async 'a turn that begins where there is a record is fenced, and one that follows where there is none'({
    store,
  }) {
    await begin(store, '1', record());
    const turns = [
      turn({ record: record({ state: 'x' }) }),
      turn({ address: two, after: '1', record: record({ address: two }) }),
    ];
    assert.deepEqual(await store.commit(group('2', { turns })), { fenced: [one, two], unknown: [] });
    assert.deepEqual(await store.load(one), stored(record(), '1'));
    assert.equal(await store.load(two), undefined);
  },
  async 'an end that follows another group is fenced'({ store }) {
    await begin(store, '1', record());
    assert.deepEqual(await store.commit(group('2', { turns: [turn({ after: '0', end: true })] })), {
      fenced: [one],
      unknown: [],
    });
    assert.deepEqual(await store.load(one), stored(record(), '1'));
  },
  async 'a turn without a state leaves the record and its group, and the next follows that group'({ store }) {
    await begin(store, '1', record());
    await store.commit(group('2', { rows: [row(1)] }));
    await store.commit(
      group('3', { turns: [turn({ after: '1', handled: [1], ids: [keptId({ outcome: 'done' })] })] }),
    );
    assert.deepEqual(await store.load(one), stored(record(), '1'));
    assert.deepEqual(await numbers(store), []);
    assert.equal((await store.id(one, 'host', 'a'))?.outcome, 'done');
    const next = await store.commit(
      group('4', { turns: [turn({ after: '1', record: record({ seq: 2 }) })] }),
    );
    assert.deepEqual(next, written);
    assert.deepEqual(await store.commit(group('5', { turns: [turn({ after: '1', handled: [] })] })), {
      fenced: [one],
      unknown: [],
    });
  },
  async 'the same group again changes nothing, and says the same'({ store }) {
    await begin(store, '1', record(), record({ address: two }));
    await store.commit(group('2', { rows: [row(1), row(2)] }));
    const same = group('3', {
      turns: [
        turn({
          after: '1',
          record: record({ seq: 2 }),
          handled: [1],
          sends: [row(3, { to: two }), row(4, { to: 'agent/none' })],
          ids: [keptId({ outcome: 'done', value: '1' })],
          steps: [{ start: 'p', key: 'k', value: '1' }],
          letters: [letter('l')],
        }),
        turn({ address: two, after: '0', record: record({ address: two, seq: 2 }) }),
      ],
      rows: [row(5), row(6, { to: 'agent/none' })],
    });
    const results = [await store.commit(same), await store.commit(same), await store.commit(same)];
    for (const result of results) assert.deepEqual(result, { fenced: [two], unknown: [4, 6] });
    assert.deepEqual(await numbers(store), [2, 5]);
    assert.deepEqual(await numbers(store, two), [3]);
    assert.equal((await store.load(one))?.commit, '3');
    assert.deepEqual(await lettersOf(store), [
      'l agent/one crashed',
      'row-4 agent/none unknown-address',
      'row-6 agent/none unknown-address',
    ]);
  },
  async 'the same group again writes no row that was handled meanwhile'({ store }) {
    await begin(store, '1', record(), record({ address: two }));
    const same = group('2', {
      turns: [turn({ after: '1', record: record({ seq: 2 }), sends: [row(1, { to: two })] })],
    });
    await store.commit(same);
    await store.commit(group('3', { turns: [turn({ address: two, after: '1', handled: [1] })] }));
    assert.deepEqual(await store.commit(same), written);
    assert.deepEqual(await numbers(store, two), []);
  },
  async 'the same group again ends nothing that began after its end'({ store }) {
    await begin(store, '1', record());
    await store.commit(group('2', { rows: [row(1)] }));
    const same = group('3', {
      turns: [turn({ after: '1', end: true }), turn({ record: record({ state: 'anew' }) })],
      rows: [row(2)],
    });
    for (let i = 0; i < 3; i++) assert.deepEqual(await store.commit(same), written);
    assert.deepEqual(await store.load(one), stored(record({ state: 'anew' }), '3'));
    assert.deepEqual(await numbers(store), [2]);
    assert.deepEqual(await lettersOf(store), ['row-1 agent/one stopped']);
    const ended = group('4', { turns: [turn({ after: '3', end: true })] });
    for (let i = 0; i < 3; i++) assert.deepEqual(await store.commit(ended), written);
    assert.equal(await store.load(one), undefined);
  },
  async 'rows are given oldest first, from behind a number, so many at most'({ store }) {
    await begin(store, '1', record(), record({ address: two }));
    const given = [7, 3, 11, 5].map((n) => row(n, { dueAt: n === 3 ? AT + 99_999 : 0 }));
    await store.commit(group('2', { rows: [...given, row(4, { to: two })] }));
    assert.deepEqual(await numbers(store), [3, 5, 7, 11]);
    const ofTwo = async (after: number): Promise<number[]> =>
      (await store.rows(one, after, 2)).map(({ n }) => n);
    assert.deepEqual(await ofTwo(-1), [3, 5]);
    assert.deepEqual(await ofTwo(5), [7, 11]);
    assert.deepEqual(await ofTwo(11), []);
    assert.deepEqual(await store.rows(one, -1, 0), []);
  },
  async 'a row is given as it was sent, each field of it'({ store }) {
    await begin(store, '1', record());
    const whole = row(1, {
      from: two,
      event: bytes(5),
      dueAt: AT + 0.25,
      id: 'i\0i',
      caller: 'c',
      attempts: 2,
    });
    await store.commit(group('2', { rows: [whole, row(2)] }));
    const [first, second] = await store.rows(one, -1, 10);
    assert.deepEqual({ ...first, event: Uint8Array.from(first?.event as Uint8Array) }, whole);
    assert.deepEqual(second, row(2));
  },
  async 'a row is handled by its recipient alone'({ store }) {
    await begin(store, '1', record(), record({ address: two }));
    await store.commit(group('2', { rows: [row(1), row(2)] }));
    await store.commit(group('3', { turns: [turn({ address: two, after: '1', handled: [1] })] }));
    assert.deepEqual(await numbers(store), [1, 2]);
    await store.commit(group('4', { turns: [turn({ after: '1', handled: [1, 99] })] }));
    assert.deepEqual(await numbers(store), [2]);
  },
  async 'a row goes to an address that begins in its group, and to none that ends in it'({ store }) {
    await begin(store, '1', record());
    const result = await store.commit(
      group('2', {
        turns: [
          turn({ address: two, record: record({ address: two }), sends: [row(1), row(2, { to: two })] }),
          turn({ after: '1', end: true }),
        ],
      }),
    );
    assert.deepEqual(result, { fenced: [], unknown: [1] });
    assert.deepEqual(await numbers(store, two), [2]);
    assert.deepEqual(await lettersOf(store), ['row-1 agent/one unknown-address']);
  },
  async 'a row to an address without a record becomes a letter with all of the row, and its open id goes'({
    store,
  }) {
    const lost = row(1, { from: two, event: bytes(5), dueAt: AT + 1, id: 'a', caller: 'host', attempts: 2 });
    assert.deepEqual(await store.commit(group('1', { rows: [lost], ids: [keptId()] })), {
      fenced: [],
      unknown: [1],
    });
    const [only] = await store.letters(undefined, 10);
    const { event, meta, ...rest } = only as { event: Uint8Array; meta: string };
    assert.deepEqual(rest, { id: 'row-1', address: one, reason: 'unknown-address', at: AT });
    assert.deepEqual(Uint8Array.from(event), bytes(5));
    assert.deepEqual(JSON.parse(meta), {
      n: 1,
      from: two,
      dueAt: AT + 1,
      id: 'a',
      caller: 'host',
      attempts: 2,
    });
    assert.equal(await store.id(one, 'host', 'a'), undefined);
  },
  async 'a letter of a row whose recipient is to be started says so, and is that row once there is a record'({
    store,
  }) {
    const sent = row(1, { from: two, activate: true });
    const metaOf = async (): Promise<unknown> =>
      (await store.letters(undefined, 10)).map(({ meta }) => JSON.parse(meta) as unknown);
    assert.deepEqual((await store.commit(group('1', { rows: [sent] }))).unknown, [1]);
    assert.deepEqual(await metaOf(), [{ n: 1, from: two, dueAt: 0, attempts: 0, activate: true }]);
    const again = group('2', { rows: [row(1, { from: two })], removedLetters: ['row-1'] });
    assert.deepEqual((await store.commit(again)).unknown, [1]);
    assert.deepEqual(await metaOf(), [{ n: 1, from: two, dueAt: 0, attempts: 0 }]);
    await begin(store, '3', record());
    for (let i = 0; i < 2; i++) assert.deepEqual(await store.commit({ ...again, id: '4' }), written);
    assert.deepEqual(await store.rows(one, 0, 10), [row(1, { from: two })]);
    assert.deepEqual(await lettersOf(store), []);
    await store.commit(group('5', { rows: [{ ...row(2), activate: true }] }));
    assert.deepEqual(await store.rows(one, 1, 10), [row(2)]);
  },
  async 'an end takes the record, rows, steps and open ids, and leaves ids that are done and letters'({
    store,
  }) {
    await begin(store, '1', record(), record({ address: two }));
    await store.commit(
      group('2', {
        turns: [turn({ after: '1', steps: [{ start: 'p', key: 'k', value: '1' }] })],
        rows: [row(1), row(2), row(3, { to: two })],
        ids: [keptId(), keptId({ id: 'b', outcome: 'done' }), keptId({ id: 'c' }), keptId({ address: two })],
        letters: [letter('l')],
      }),
    );
    const end = turn({ after: '1', end: true, handled: [1], ids: [keptId({ id: 'c', outcome: 'failed' })] });
    assert.deepEqual(await store.commit(group('3', { at: AT + 1, turns: [end] })), written);
    assert.equal(await store.load(one), undefined);
    assert.deepEqual(await numbers(store), []);
    assert.deepEqual(await store.steps(one), []);
    const outcomes = await Promise.all(['a', 'b', 'c'].map((id) => store.id(one, 'host', id)));
    assert.deepEqual(
      outcomes.map((kept) => kept?.outcome),
      [undefined, 'done', 'failed'],
    );
    assert.deepEqual(await lettersOf(store), ['l agent/one crashed', 'row-2 agent/one stopped']);
    assert.deepEqual(await numbers(store, two), [3]);
    assert.equal((await store.id(two, 'host', 'a'))?.outcome, 'open');
    const anew = record({ incarnation: 2 });
    await begin(store, '4', anew);
    assert.deepEqual(await store.load(one), stored(anew, '4'));
    assert.deepEqual(await store.steps(one), []);
  },
  async 'attempts are counted in rows that are there, and in no others'({ store }) {
    await begin(store, '1', record());
    await store.commit(group('2', { rows: [row(1), row(2)] }));
    await store.commit(
      group('3', {
        attempts: [
          [2, 4],
          [9, 1],
        ],
      }),
    );
    assert.deepEqual(
      (await store.rows(one, -1, 10)).map(({ n, attempts }) => [n, attempts]),
      [
        [1, 0],
        [2, 4],
      ],
    );
  },
  async 'a thousand turns of one group are written, and read in pages by address'({ store }) {
    const all = Array.from({ length: 1000 }, (_, n) => record({ address: `agent/${n}`, state: `${n}` }));
    await begin(store, '1', ...all);
    const read: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await store.records(after, 300);
      if (page.length === 0) break;
      for (const { address, state } of page) assert.equal(address, `agent/${String(state)}`);
      read.push(...page.map(({ address }) => address));
      after = read.at(-1);
    }
    const expected = all.map(({ address }) => address).toSorted();
    assert.deepEqual(read, expected);
  },
  async 'addresses are in the order of their code points'({ store }) {
    const all = ['a/\u{1F512}', 'a/\uFF5E', 'a/é', 'a/e', 'a/E', 'a/10', 'a/9'];
    await begin(store, '1', ...all.map((address) => record({ address })));
    const read = (await store.records(undefined, 10)).map(({ address }) => address);
    assert.deepEqual(read, ['a/10', 'a/9', 'a/E', 'a/e', 'a/é', 'a/\uFF5E', 'a/\u{1F512}']);
  },
  async 'what was given, and what is given out, belongs to the caller'({ store }) {
    const given = bytes(8);
    const committed = store.commit(group('1', { turns: [turn({ record: record({ state: given }) })] }));
    given.fill(0);
    await committed;
    const loaded = (await store.load(one))?.state as Uint8Array;
    assert.deepEqual(Uint8Array.from(loaded), bytes(8));
    loaded.fill(0);
    assert.deepEqual(Uint8Array.from((await store.load(one))?.state as Uint8Array), bytes(8));
  },
  async 'calls are answered in the order in which they came, and see each other'({ store }) {
    const order: number[] = [];
    const states: unknown[] = [];
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      const after = i === 0 ? undefined : `${i - 1}`;
      const next = group(`${i}`, { turns: [turn({ after, record: record({ seq: i, state: `${i}` }) })] });
      calls.push(store.commit(next).then((result) => (assert.deepEqual(result, written), order.push(2 * i))));
      calls.push(store.load(one).then((loaded) => (states.push(loaded?.state), order.push(2 * i + 1))));
    }
    await Promise.all(calls);
    assert.deepEqual(
      order,
      Array.from({ length: 40 }, (_, i) => i),
    );
    assert.deepEqual(
      states,
      Array.from({ length: 20 }, (_, i) => `${i}`),
    );
  },
};

function copyOf(state: string | Uint8Array): unknown {
  return typeof state === 'string' ? state : Uint8Array.from(state);
}
