import { expect, test } from 'vitest';
import { eventOf, runAt, runCount, traceAt, type Batch } from './batch.ts';
import { Mailbox } from './mailbox.ts';
import { NO_TERMS } from './terms.ts';
import { isSampled, isTrace, SentTimes, type Trace } from './trace.ts';

const trace = (n: number): Trace => ({ headers: { traceparent: `t${n}` }, sentAt: n, told: true });

/** Numbers of the events as a thread gets them, each with the trace that stood before it. */
function read(batch: Batch): (readonly [n: unknown, trace: string | undefined])[] {
  const seen: (readonly [unknown, string | undefined])[] = [];
  let before: Trace | undefined;
  for (let i = 0; i < runCount(batch); i++) {
    const next = traceAt(batch, i);
    if (next !== undefined) {
      before = next;
      continue;
    }
    const run = runAt(batch, i);
    // A trace is that of one envelope.
    if (before !== undefined && run.length !== 1) throw new Error(`one trace for ${run.length}`);
    for (let n = 0; n < run.length; n++)
      seen.push([(eventOf(run, n) as { n: number }).n, before?.headers?.['traceparent']]);
    before = undefined;
  }
  return seen;
}

function filled(count: number, traced: readonly number[], box = new Mailbox(1000)): Mailbox {
  for (let n = 0; n < count; n++)
    box.offer({ type: 'e', n }, 0, NO_TERMS, undefined, traced.includes(n) ? trace(n) : undefined);
  return box;
}

const taken = (box: Mailbox): ReturnType<typeof read> => {
  const batch: Batch = [];
  box.take(batch, 0, 1000);
  return read(batch);
};
const expected = (all: readonly number[], traced: readonly number[]): unknown[] =>
  all.map((n) => [n, traced.includes(n) ? `t${n}` : undefined]);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test('a trace stays with its envelope while the mailbox grows, and others still leave packed', () => {
  const box = filled(100, [0, 3, 4, 50, 99]);
  const batch: Batch = [];
  box.take(batch, 0, 1000);
  expect(read(batch)).toEqual(expected(upTo(100), [0, 3, 4, 50, 99]));
  expect(runCount(batch)).toBe(5 * 2 + 3);
});

test('the first traced one may come when the mailbox has gone round', () => {
  const box = filled(10, []);
  box.take([], 0, 1000);
  box.acknowledge(10, () => {});
  for (let n = 10; n < 30; n++)
    box.offer({ type: 'e', n }, 0, NO_TERMS, undefined, n === 20 ? trace(20) : undefined);
  expect(taken(box)).toEqual(expected(upTo(30).slice(10), [20]));
});

test('what takes the place of a traced one that was handled is not traced', () => {
  const box = filled(16, upTo(16));
  box.take([], 0, 1000);
  box.acknowledge(16, () => {});
  for (let n = 0; n < 16; n++) box.offer({ type: 'e', n }, 0);
  expect(taken(box)).toEqual(expected(upTo(16), []));
});

test('a trace stays when others are discarded, or dropped for a newer one', () => {
  const box = filled(8, [2, 5]);
  box.discardUnless(
    (event) => (event as { n: number }).n % 2 === 1,
    () => {},
  );
  expect(taken(box)).toEqual(expected([1, 3, 5, 7], [5]));
  const dropping = filled(6, [1, 3, 5], new Mailbox(4, 'drop-oldest'));
  const batch: Batch = [];
  while (dropping.take(batch, 0, 1000) > 0) dropping.acknowledge(1000, () => {});
  expect(read(batch)).toEqual(expected([2, 3, 4, 5], [3, 5]));
});

test('an envelope that is sent again is traced again', () => {
  const box = filled(3, [1]);
  expect(taken(box)).toEqual(expected(upTo(3), [1]));
  box.rewind();
  expect(taken(box)).toEqual(expected(upTo(3), [1]));
});

test.each([
  [{ headers: null, sentAt: 1, told: true }, true],
  [{ headers: { traceparent: '00-a-b-01' }, sentAt: 1, told: false }, true],
  [{ headers: { a: 1 }, sentAt: 1, told: false }, false],
  [{ headers: 'text', sentAt: 1, told: false }, false],
  [{ headers: { a: 'x'.repeat(9000) }, sentAt: 1, told: false }, false],
  [{ headers: Object.fromEntries(upTo(9).map((n) => [n, ''])), sentAt: 1, told: false }, false],
  [{ headers: null, sentAt: '1', told: false }, false],
])('of what a thread sends %o is a trace: %s', (value, isOne) => {
  expect(isTrace(value as Trace)).toBe(isOne);
});

test('a trace is sampled by its last flag', () => {
  expect(isSampled({ traceparent: '00-a-b-01' })).toBe(true);
  expect(isSampled({ traceparent: '00-a-b-03' })).toBe(true);
  expect(isSampled({ traceparent: '00-a-b-00' })).toBe(false);
  expect(isSampled({})).toBe(false);
});

test('the time of what is sent is told with it; what is sent at the same time has one, and crosses as one run', () => {
  const times = new SentTimes();
  const box = new Mailbox(1000);
  for (const [n, at] of [1, 1.2, 1.4, 9, 9.1].entries())
    box.offer({ type: 'e', n }, 0, NO_TERMS, undefined, times.at(at));
  const traced = trace(7);
  box.offer({ type: 'e', n: 5 }, 0, NO_TERMS, undefined, times.at(9.1, traced));
  const batch: Batch = [];
  box.take(batch, 0, 1000);
  const rows = Array.from(
    { length: runCount(batch) },
    (_, n) => traceAt(batch, n)?.sentAt ?? runAt(batch, n).length,
  );
  expect(rows).toEqual([1, 3, 9, 2, 7, 1]);
});
