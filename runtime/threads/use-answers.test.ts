import { describe, expect, test } from 'vitest';
import { transfer } from '../mailbox/transfer.ts';
import { decodeError, type WireError } from '../wire/errors.ts';
import { UseAnswers } from './use-answers.ts';

function setUp() {
  const told: (readonly unknown[])[] = [];
  const later: (() => void)[] = [];
  const answers = new UseAnswers({
    tell: (list, moving) => void told.push(structuredClone(list, { transfer: moving as ArrayBuffer[] })),
    soon: (run) => void later.push(run),
  });
  const tick = (): void => {
    for (const run of later.splice(0)) run();
  };
  return { told, answers, tick };
}

describe('what became of uses', () => {
  test('leaves together when the tick is over', () => {
    const { told, answers, tick } = setUp();
    const result = { signature: 'x' };
    answers.add(1, result);
    result.signature = 'changed';
    answers.add(2, undefined);
    answers.fail(3, new RangeError('no'));
    expect(told).toEqual([]);
    tick();
    expect(told).toEqual([[1, 1, { signature: 'x' }, 2, 1, undefined, 3, 0, expect.anything()]]);
    expect(decodeError(told[0]?.[8] as WireError)).toMatchObject({ name: 'RangeError', message: 'no' });
    answers.add(4, 'next');
    tick();
    expect(told).toHaveLength(2);
  });

  test('leaves at once where it may change, moves what is marked, and shows no memory but its own', () => {
    const { told, answers } = setUp();
    answers.add(1, new Uint8Array(64).subarray(0, 4));
    const bytes = new Uint8Array(8);
    answers.add(2, transfer(bytes, [bytes.buffer]));
    expect(told).toMatchObject([
      [1, 1, { byteLength: 4 }],
      [2, 1, { byteLength: 8 }],
    ]);
    expect(told[0]?.[2]).toHaveProperty('buffer.byteLength', 4);
    expect(bytes.byteLength).toBe(0);
  });

  test('is an error where it cannot cross, and takes no other with it', () => {
    const { told, answers, tick } = setUp();
    let deep: unknown = 1;
    for (let n = 0; n < 600; n++) deep = [deep];
    answers.add(1, 'good');
    answers.add(2, { run: () => 1 });
    answers.add(3, deep);
    tick();
    expect(told[0]?.slice(0, 5)).toEqual([1, 1, 'good', 2, 0]);
    const [clone, depth] = [told[0]?.[5], told[0]?.[8]].map((error) => decodeError(error as WireError));
    expect(clone).toMatchObject({ name: 'DataCloneError' });
    expect(depth).toMatchObject({ code: 'REPLY_UNCLONABLE' });
  });
});
