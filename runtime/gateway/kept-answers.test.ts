import { expect, test } from 'vitest';
import { KeptAnswers } from './kept-answers.ts';

const KB = 1024;

function shelf(mostBytes = Infinity) {
  let time = 0;
  const kept = new KeptAnswers({ now: () => time }, () => mostBytes);
  const add = (token: string, key: string, length: number) =>
    kept.add(token, key, 'f', { status: 200, body: 'x'.repeat(length) });
  const get = (token: string, key: string): number | string => {
    try {
      return kept.get(token, key)?.answer().body.length ?? 'nothing';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  return { kept, add, get, pass: (ms: number) => (time += ms) };
}

test('an answer is kept for ten minutes, and its bytes are given back then', () => {
  const { kept, add, get, pass } = shelf();
  add('a', 'k', 10);
  pass(599_999);
  expect(get('a', 'k')).toBe(10);
  pass(1);
  expect(get('a', 'k')).toBe('nothing');
  add('b', 'k', 10);
  const { bytes } = kept;
  pass(600_000);
  add('b', 'k2', 10);
  expect(kept.bytes).toBeLessThanOrEqual(bytes + 2);
});

test('of an answer over 64 KB the status alone is kept, in characters of whatever length', () => {
  const { kept, add, get } = shelf();
  add('a', 'fits', 64 * KB);
  add('a', 'long', 64 * KB + 1);
  kept.add('a', 'wide', 'f', { status: 200, body: 'ä'.repeat(33 * KB) });
  expect([get('a', 'fits'), get('a', 'long'), get('a', 'wide')]).toEqual([
    64 * KB,
    'ANSWER_NOT_KEPT',
    'ANSWER_NOT_KEPT',
  ]);
  expect(kept.bytes).toBeLessThan(70 * KB);
});

test('whoever keeps most makes room: the oldest bodies first, then the oldest entries, and nobody else loses any', () => {
  const { kept, add, get } = shelf(512 * KB);
  add('small', 'mine', 10 * KB);
  for (let n = 0; n < 5000; n += 1) add('large', `k${n}`, 60 * KB);
  expect(kept.bytes).toBeLessThanOrEqual(512 * KB);
  expect(get('small', 'mine')).toBe(10 * KB);
  expect(get('large', 'k4999')).toBe(60 * KB);
  expect(get('large', 'k4980')).toBe('ANSWER_NOT_KEPT');
  expect(get('large', 'k0')).toBe('nothing');
});

test('the next process gets every entry, and of the bodies the latest sixteen megabytes', () => {
  const { kept, add, pass } = shelf();
  for (let n = 0; n < 500; n += 1) {
    add('a', `k${n}`, 60 * KB);
    pass(1);
  }
  const handed = structuredClone(kept.handOver());
  expect(handed.length).toBe(500);
  const bytes = handed.reduce((sum, [, , , , , body]) => sum + (body?.length ?? 0), 0);
  expect(bytes).toBeLessThanOrEqual(16 * KB * KB);
  const next = shelf();
  next.kept.adopt(handed);
  expect([next.get('a', 'k0'), next.get('a', 'k499')]).toEqual(['ANSWER_NOT_KEPT', 60 * KB]);
  // It is good for as long as it was.
  next.pass(599_499);
  expect(next.get('a', 'k499')).toBe(60 * KB);
  next.pass(1000);
  expect(next.get('a', 'k499')).toBe('nothing');
});
