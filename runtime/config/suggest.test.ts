import { describe, expect, test } from 'vitest';
import { closest, didYouMean } from './suggest.ts';

const keys = [
  'threadId',
  'maxThreads',
  'mirror',
  'restart',
  'env',
  'minMs',
  { name: 'capacity', print: 'mailbox.capacity' },
];

describe('the closest name', () => {
  test.each([
    ['thredId', 'threadId'],
    ['THREAD_ID', 'threadId'],
    ['thread-id', 'threadId'],
    ['max_thread', 'maxThreads'],
    ['restrat', 'restart'],
    ['mirorr', 'mirror'],
    ['nev', undefined],
    ['en', 'env'],
    ['envs', 'env'],
    ['min', 'minMs'],
    ['capacty', 'mailbox.capacity'],
    ['watchdog', undefined],
    ['', undefined],
    ['___', undefined],
  ])('to %j is %j', (written, expected) => {
    expect(closest(written, keys)).toBe(expected);
  });

  test('is the nearest of several, the first of equals', () => {
    expect(closest('bbbx', ['bbyy', 'bbby', 'bbbz'])).toBe('bbby');
  });

  test('of nothing is nothing', () => {
    expect(closest('x', [])).toBeUndefined();
  });

  test('to a key of a megabyte is not looked for', () => {
    expect(closest('x'.repeat(1024 * 1024), ['x'.repeat(101)])).toBeUndefined();
  });

  test('is asked for at the end of a message', () => {
    expect(didYouMean('mirorr', keys)).toBe('; did you mean "mirror"?');
    expect(didYouMean('watchdog', keys)).toBe('');
  });
});
