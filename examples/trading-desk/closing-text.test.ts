import { expect, test } from 'vitest';
import { closingText, type Outcome } from './closing-text.ts';

const paint = (_: string, text: string): string => text;
const outcome: Outcome = {
  findings: [
    { file: 'config/desk.env', line: 4, kind: 'api-key' },
    { file: 'config/desk.env', line: 9, kind: 'password' },
  ],
  files: 17,
  reports: [
    {
      book: 'shares',
      asOf: '2010-03-01',
      value: 1_468_756.4,
      drawdown: 0.4149,
      trades: 57,
      holdings: [],
      signature: 'ab',
      keyVersion: 'v2-and-more',
    },
  ],
  signatures: {
    byVersion: new Map([
      ['v1-and-more', 1014],
      ['v2-and-more', 2913],
    ]),
    orders: 3923,
    reports: 4,
    wrong: 0,
  },
  secrecy: {
    hits: [],
    megabytes: 6.31,
    encodings: 5,
    trustworthy: true,
    searched: new Map([
      ['output', 55],
      ['notice', 1],
      ['event', 3944],
      ['reply', 475],
      ['snapshot', 178],
      ['status', 14],
    ]),
  },
  rows: [],
  problems: [],
};
const text = (change: Partial<Outcome> = {}): string => closingText({ ...outcome, ...change }, paint);

test('it says what was found, what the books are worth, what was signed and what was searched', () => {
  expect(text()).toContain('2 credentials in plain text, in 1 of 17 files');
  expect(text()).toContain('shares   1,468,756 on 2010-03-01, drawdown 41.5 %, 57 trades');
  expect(text()).toContain('3,923 orders and 4 reports, all verify');
  expect(text()).toContain('1,014 with key version v1-and-m');
  expect(text()).toContain('no trace of the key in 4,667 records, 6.3 MB, in 5 encodings:');
  expect(text().replaceAll(/\s+/g, ' ')).toContain(
    '55 outputs, 1 notice, 3,944 events, 475 replies, 178 snapshots, 14 statuses',
  );
});

test('it fits a terminal of 80 columns', () => {
  for (const line of text().split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('a trace of the key is said in words, with where it was', () => {
  const hits = [
    { kind: 'event', canary: 'v1', encoding: 'hex' },
    { kind: 'log', canary: 'v1', encoding: 'text' },
  ];
  expect(text({ secrecy: { ...outcome.secrecy, hits } })).toContain('2 traces of the key (event, log)');
});

test('a search that does not work is not taken for a proof', () => {
  expect(text({ secrecy: { ...outcome.secrecy, trustworthy: false } })).toContain(
    'the search does not find a planted value',
  );
});

test('a wrong signature and every problem stand out', () => {
  const bad = text({ signatures: { ...outcome.signatures, wrong: 3 }, problems: ['one', 'two'] });
  expect(bad).toContain('3 do not verify');
  expect(bad.split('\n').slice(-2)).toEqual(['wrong: one', 'wrong: two']);
});
