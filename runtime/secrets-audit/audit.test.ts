import { expect, test } from 'vitest';
import { auditFiles } from './audit.ts';

const LONG = 300_000;
const long = (piece: string): string => piece.repeat(Math.ceil(LONG / piece.length)).slice(0, LONG);

// With time that grows by the square of a line, each of these takes minutes.
test.each([
  ['letters and digits', long('af09')],
  ['words', long('word_word.')],
  ['dashes', long('a--')],
  ['spaces', `a${long(' ')}b`],
  ['signs', long('a=')],
  ['quotes that open', long('a="')],
  ['quotes of all kinds', long(`a="b='c=\`d `)],
  ['URLs that never end', long('http://a:b')],
  ['tokens that never end', long('eyJaaaaaaaaa.')],
  ['keys that never end', long('-----BEGIN PRIVATE KEY-----')],
  ['empty lines', long('\n')],
  ['an .env of quotes', long('A="x\\"y\n')],
  ['a list in one line', `[${long('"ab",')}1]`],
  ['findings', long('password=q8Zt1234 \n')],
  ['tokens', long(`${['gh', 'p_'].join('')}q8Zt2Lw7vX4nB1mKd5Yc9Rf3q8Zt2Lw7vX4n\n`)],
  ['URLs with passwords', long('a://b:c@ ')],
])(
  '%s in a long file take no longer than others',
  async (_what, text) => {
    for (const file of ['/desk/notes.txt', '/desk/.env']) {
      const report = await auditFiles({ files: [{ file, text, isResidue: false }], unread: [] });
      expect(report.filesScanned).toEqual([file]);
    }
  },
  60_000,
);

test('nothing of a file is kept for the next', async () => {
  const kept = () => performance.getEntries().length;
  const before = kept();
  await auditFiles({ files: [{ file: '/desk/a.txt', text: 'a', isResidue: false }], unread: [] });
  expect(kept()).toBe(before);
});

test('a file that takes too long is not looked at, and nothing is clean then', async () => {
  let now = 0;
  const files = ['/desk/a.txt', '/desk/b.txt'].map((file) => ({ file, text: 'a', isResidue: false }));
  const report = await auditFiles({ files, unread: [] }, () => (now += 30_000));
  expect(report).toMatchObject({ status: 'incomplete', filesScanned: [] });
  expect(report.filesUnread.map(({ why }) => why)).toEqual([
    'it was looked through for 20 s without an end',
    'it was looked through for 20 s without an end',
  ]);
});
