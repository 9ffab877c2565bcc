import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differences, pathText, shared } from './differences.ts';
import { took } from './figures.ts';
import { ActorRecord, mostEntries } from './record.ts';
import { Recorder } from './recorder.ts';
import { carriedText, eventText, matches, timelineRows } from './timeline-rows.ts';
import type { InspectionEvent, Snapshot } from './told.ts';

let made = 0;
const base = (sessionId: string, at: number) => ({ sessionId, createdAt: String(at), id: `e${(made += 1)}` });
const born = (id: string, snapshot: Snapshot, at = 0): InspectionEvent => ({
  ...base(id, at),
  type: '@xstate.actor',
  name: id,
  snapshot: { status: 'active', ...snapshot },
});
const got = (id: string, event: { type: string; [key: string]: unknown }, at = 0, sourceId?: string) =>
  ({ ...base(id, at), type: '@xstate.event', event, ...(sourceId !== undefined && { sourceId }) }) as const;
const state = (id: string, type: string, snapshot: Snapshot, at = 0): InspectionEvent => ({
  ...base(id, at),
  type: '@xstate.snapshot',
  event: { type },
  snapshot: { status: 'active', ...snapshot },
});
const turn = (id: string, event: { type: string; [key: string]: unknown }, snapshot: Snapshot, at = 0) => [
  got(id, event, at),
  state(id, event.type, snapshot, at),
];

test('an entry has the event with what it carries, its sender, and the states before and after', () => {
  const record = new ActorRecord('a/1');
  record.take([
    born('a/1', { value: 'idle', context: { n: 0 } }, 10),
    got('a/1', { type: 'go', by: 2 }, 20, 'b/1'),
    state('a/1', 'go', { value: 'busy', context: { n: 2 } }, 21),
    got('c/1', { type: 'elsewhere' }, 22),
  ]);
  expect(record.entries).toMatchObject([
    { kind: 'began', at: 10, after: { value: 'idle' } },
    {
      kind: 'event',
      at: 20,
      type: 'go',
      from: 'b/1',
      event: { by: 2 },
      before: { value: 'idle' },
      after: { value: 'busy' },
    },
  ]);
  expect(record.stateAt(0)).toMatchObject({ value: 'idle', context: { n: 0 } });
  expect(record.stateAt(1)).toMatchObject({ value: 'busy', context: { n: 2 } });
});

test('of a turn it is known how long it took', () => {
  const record = new ActorRecord('a/1');
  const after = state('a/1', 'go', { value: 'busy' });
  record.take([got('a/1', { type: 'go' }), { ...after, holdfast: { tookMs: 1.5 } }]);
  record.take(turn('a/1', { type: 'on' }, { value: 'on' }));
  expect(record.entries.map(({ tookMs }) => tookMs)).toEqual([1.5, undefined]);
  expect([0.021, 1.26, 812.4, 7400].map(took)).toEqual(['0.02 ms', '1.3 ms', '812 ms', '7 s']);
});

test('children, and what the actor tells others, are on the same time line', () => {
  const record = new ActorRecord('a/1');
  record.take([
    got('a/1', { type: 'go' }),
    born('a/1/kid', { value: 'off' }),
    got('b/2', { type: 'told', n: 1 }, 0, 'a/1'),
    ...turn('a/1/kid', { type: 'tick' }, { value: 'on' }),
    state('a/1', 'go', { value: 'busy' }),
    got('a/10', { type: 'told' }),
  ]);
  expect(record.entries.map(({ kind, actor, type }) => [kind, actor, type])).toEqual([
    ['event', 'a/1', 'go'],
    ['began', 'a/1/kid', ''],
    ['sent', 'a/1', 'told'],
    ['event', 'a/1/kid', 'tick'],
  ]);
  expect(record.entries[0]?.after).toMatchObject({ value: 'busy' });
  // While its turn goes on it is in the state that it had.
  expect(record.stateAt(3)).toMatchObject({ value: 'busy' });
});

test('the record has a bound, says what it dropped, and knows the state at the oldest moment that it has', () => {
  const record = new ActorRecord('a/1');
  const count = mostEntries * 3;
  for (let n = 0; n < count; n += 1) record.take(turn('a/1', { type: 'go' }, { value: 'a', context: { n } }));
  expect(record.entries.length).toBeLessThan(mostEntries * 1.1);
  expect(record.dropped + record.entries.length).toBe(count);
  expect(record.entries[0]?.n).toBe(record.dropped);
  expect(record.stateAt(record.dropped)).toMatchObject({ context: { n: record.dropped } });
  expect(record.at(record.dropped - 1)).toBeUndefined();
});

test('what is large is bounded by its size, and a context that changes little takes little', () => {
  const large = new ActorRecord('a/1');
  for (let n = 0; n < 100; n += 1)
    large.take(turn('a/1', { type: 'go' }, { value: 'a', context: { text: String(n).repeat(100_000) } }));
  expect(large.entries.length).toBeLessThan(45);
  expect(large.dropped + large.entries.length).toBe(100);
  const small = new ActorRecord('a/1');
  const text = 'x'.repeat(100_000);
  for (let n = 0; n < 500; n += 1)
    small.take(turn('a/1', { type: 'go' }, { value: 'a', context: { n, kept: { text } } }));
  expect(small.dropped).toBe(0);
  const [first, last] = [small.stateAt(0), small.stateAt(499)] as { context: { kept: object } }[];
  expect(last?.context.kept).toBe(first?.context.kept);
});

test('what was left out is said, with the state since; what is only told again is not', () => {
  const record = new ActorRecord('a/1');
  const begun = born('a/1', { value: 'a' });
  const last = state('a/1', 'go', { value: 'b' });
  record.take([begun, got('a/1', { type: 'go' }), last]);
  record.take([begun, last]);
  expect(record.entries.length).toBe(2);
  record.take([state('a/1', 'holdfast.sampled', { value: 'c' })]);
  record.take([state('a/1', 'other', { value: 'd' })]);
  record.gone(3);
  expect(record.entries.slice(2).map(({ kind, after }) => [kind, after?.value])).toEqual([
    ['missed', 'c'],
    ['missed', 'd'],
    ['missed', 'd'],
  ]);
});

test('one that was stopped keeps its last state, and one that failed has its error too', () => {
  const record = new ActorRecord('a/1');
  record.take([born('a/1', { value: 'a', context: 1 })]);
  record.take([state('a/1', 'xstate.stop', { status: 'error', error: { message: 'why' } })]);
  expect(record.stateAt(1)).toEqual({ status: 'error', value: 'a', context: 1, error: { message: 'why' } });
  record.take([born('a/1', { value: 'b' })]);
  record.take([state('a/1', 'xstate.stop', { status: 'stopped' })]);
  expect(record.stateAt(3)).toEqual({ status: 'stopped', value: 'b' });
});

test('a record begins with what happened just before the actor was looked at; only those looked at last have one', () => {
  const recorder = new Recorder();
  recorder.take(turn('a/1', { type: 'go' }, { value: 'b' }), 100, 0);
  const record = recorder.look('a/1', { value: 'b' });
  expect(record.entries.map(({ type }) => type)).toEqual(['go']);
  recorder.take(turn('a/1', { type: 'on' }, { value: 'c' }), 100, 0);
  expect(recorder.look('a/1', undefined)).toBe(record);
  expect(record.entries.map(({ type }) => type)).toEqual(['go', 'on']);
  for (let n = 0; n < 12; n += 1) recorder.look(`b/${n}`, {});
  expect(recorder.look('a/1', undefined)).not.toBe(record);
  // Nothing is remembered of it: its state is all that is known.
  expect(recorder.look('quiet/1', { value: 'z' }).stateAt(-1)).toEqual({ value: 'z' });
  recorder.take([], 5_000_000, 0);
  expect(recorder.look('a/1', { value: 'c' }).entries.length).toBe(2);
  for (let n = 0; n < 12; n += 1) recorder.look(`b/${n}`, {});
  expect(recorder.look('a/1', { value: 'c' }).entries.length).toBe(0);
});

test('shared values are equal to what they were made of, and say by themselves what has changed', () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(json, json, (before, after) => {
      const { value } = shared(before, after);
      expect(value).toEqual(after);
      const again = shared(before, structuredClone(before));
      expect(again.size).toBe(0);
      expect(again.value).toBe(before);
      expect(differences(before, again.value)).toEqual([]);
    }),
  );
});

test('differences are told by their paths', () => {
  const before = { a: 1, list: [{ name: 'x' }, 2], gone: true };
  const after = { a: 1, list: [{ name: 'y' }, 2, 3], new: null };
  const found = differences(before, shared(before, after).value);
  expect(found.map(({ path, ...values }) => [pathText(path), values])).toEqual([
    ['list[0].name', { before: 'x', after: 'y' }],
    ['list[2]', { after: 3 }],
    ['new', { after: null }],
    ['gone', { before: true }],
  ]);
});

test('the newest line is first; repeats are one line, a long silence is said, and so is what was dropped', () => {
  const record = new ActorRecord('a/1');
  record.take([born('a/1', { value: 'a' }, 0)]);
  for (let n = 0; n < 4; n += 1) record.take(turn('a/1', { type: 'token' }, { value: 'a', context: n }, n));
  record.take(turn('a/1', { type: 'end' }, { value: 'b' }, 20_000));
  const none = new Set<number>();
  const lines = (rows: ReturnType<typeof timelineRows>) =>
    rows.map((row) =>
      row.kind === 'entry' ? `${eventText(row.entry)} ${row.entry.n} x${row.times}` : row.kind,
    );
  expect(lines(timelineRows(record.entries, { dropped: 7, opened: none }))).toEqual([
    'end 5 x1',
    'pause',
    'token 4 x4',
    'begins 0 x1',
    'dropped',
  ]);
  const opened = new Set([1]);
  expect(lines(timelineRows(record.entries, { dropped: 0, opened })).length).toBe(7);
  const filter = (entry: (typeof record.entries)[number]): boolean => matches(entry, ['end', 'b']);
  expect(lines(timelineRows(record.entries, { dropped: 0, opened: none, filter }))).toEqual(['end 5 x1']);
});

test('events are called as a reader calls them, and are found by what they carry', () => {
  const names = [
    'xstate.after.30000.a.b',
    'xstate.done.actor.work',
    'xstate.error.actor.work',
    'xstate.init',
    'go',
  ];
  expect(names.map((type) => eventText({ kind: 'event', type }))).toEqual([
    'after 30 s',
    'done work',
    'error work',
    'starts',
    'go',
  ]);
  expect(carriedText({ type: 'go' })).toBe('');
  expect(carriedText({ type: 'go', n: 1 } as never)).toBe('{"n":1}');
  const record = new ActorRecord('a/1');
  record.take(turn('a/1', { type: 'order', customer: 'Acme' }, { value: 'open' }));
  const [entry] = record.entries;
  expect(
    [['acme'], ['acme', 'open'], ['acme', 'closed']].map((words) => entry && matches(entry, words)),
  ).toEqual([true, true, false]);
});

test('of an event it is known how long it waited and in which trace it came, and lines of the log stand where they were written', () => {
  const record = new ActorRecord('a/1');
  const line = (message: string, fields = {}) =>
    ({ ...base('a/1', 3), type: '@holdfast.log', level: 'warn', message, fields }) as const;
  record.take([
    { ...got('a/1', { type: 'go' }), holdfast: { waitedMs: 12, traceId: '4bf9' } },
    line('slow', { customer: 'Acme' }),
    state('a/1', 'go', { value: 'on' }),
    { ...got('a/1', { type: 'on' }), holdfast: { waitedMs: 'x' as never } },
  ]);
  expect(record.entries).toMatchObject([
    { kind: 'event', type: 'go', waitedMs: 12, traceId: '4bf9', after: { value: 'on' } },
    { kind: 'log', type: 'warn', line: { message: 'slow', fields: { customer: 'Acme' } } },
    { kind: 'event', type: 'on' },
  ]);
  expect(record.entries[2]?.waitedMs).toBeUndefined();
  expect(record.stateAt(1)).toMatchObject({ value: 'on' });
  const found = (word: string) => record.entries.filter((entry) => matches(entry, [word])).map(({ n }) => n);
  expect([found('acme'), found('4bf9')]).toEqual([[1], [0]]);
  // Lines are alike only if they say the same.
  record.take(['x', 'x', 'x', 'y', 'x'].map((message) => line(message)));
  const rows = timelineRows(record.entries.slice(3), { dropped: 0, opened: new Set() });
  expect(rows.map((row) => row.kind === 'entry' && [row.entry.line?.message, row.times])).toEqual([
    ['x', 1],
    ['y', 1],
    ['x', 3],
  ]);
});

test('a record has what was told before the page was there, is found by the name of a moment, and says where nobody was told', () => {
  const recorder = new Recorder();
  const before = turn('a/1', { type: 'before' }, { value: 'b' });
  recorder.take(turn('a/1', { type: 'since' }, { value: 'c' }), 100, 6);
  expect(recorder.look('a/1', undefined).entries.map(({ type }) => type)).toEqual(['since']);
  recorder.begin([before, null], 200, 7);
  const record = recorder.look('a/1', undefined);
  expect(record.entries.map(({ kind, type }) => [kind, type])).toEqual([
    ['event', 'before'],
    ['missed', ''],
    ['event', 'since'],
  ]);
  const id = before[0]?.id ?? '';
  expect([record.named(id)?.type, record.named('another')]).toEqual(['before', undefined]);
});
