import { expect, test } from 'vitest';
import { DeadLetterLog } from './dead-letter-log.ts';
import { DeadLetters } from './dead-letters.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';

const MINUTE = 60_000;

/** A log behind a store, with a clock that stands still until it is told. */
function open(warn: (line: object) => void = () => {}) {
  const lines: object[] = [];
  const clock = { ms: 0, now: () => clock.ms };
  const logger = {
    debug() {},
    info() {},
    error() {},
    warn(fields: object, message: string) {
      lines.push({ ...fields, message });
      warn(fields);
    },
  };
  const log = new DeadLetterLog({ logger, clock, expected: ({ reason }) => reason === 'expired' });
  const letters = new DeadLetters((letter, type) => log.add(letter, type));
  const add = (event: unknown = { type: 'tick' }, reason: DeadLetterReason = 'stopped'): void =>
    letters.add({ address: 'agent/1', reason, event, incarnation: 1 });
  return { log, lines, clock, add };
}

test('a letter is logged with its place, its reason and its type, and nothing of what was in it', () => {
  const { lines, add } = open();
  add({ type: 'order', account: 'DE00', toJSON: () => ({ secret: 1 }) }, 'too-large');
  expect(lines).toEqual([
    {
      address: 'agent/1',
      reason: 'too-large',
      type: 'order',
      id: '1',
      message: 'an event became a dead letter',
    },
  ]);
});

test.each<[string, unknown]>([
  ['of more than 256 characters', { type: 'x'.repeat(257) }],
  ['that is no text', { type: { account: 'DE00' } }],
  ['of a text that was sent', 'DE00'],
])('a type %s is not logged', (_what, event) => {
  const { lines, add } = open();
  add(event);
  expect(lines).toMatchObject([{ type: undefined }]);
  expect(JSON.stringify(lines)).not.toContain('DE00');
});

test('the type is read once, so that an event cannot show something else to the log', () => {
  const { lines, add } = open();
  let reads = 0;
  add({
    get type() {
      reads += 1;
      return `read ${reads}`;
    },
  });
  expect(lines).toMatchObject([{ type: 'read 1' }]);
});

test('after ten lines the log pauses for 5 minutes, and goes on with the number of those it left out', () => {
  const { lines, clock, add } = open();
  for (let i = 0; i < 500; i++) add();
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toMatchObject({
    message: expect.stringContaining('not logged for 5 minutes') as string,
  });
  clock.ms = 5 * MINUTE - 1;
  add();
  expect(lines).toHaveLength(10);
  clock.ms += 1;
  for (let i = 0; i < 500; i++) add();
  expect(lines).toHaveLength(21);
  expect(lines[10]).toMatchObject({ notLogged: 491 });
  expect(lines.filter((line) => 'notLogged' in line)).toHaveLength(1);
  expect(lines[11]).toMatchObject({ id: '502' });
});

test('ten letters that come one by one, with quiet times between them, cause no pause', () => {
  const { lines, clock, add } = open();
  for (let i = 0; i < 30; i++) {
    add();
    clock.ms += 5 * MINUTE;
  }
  expect(lines).toHaveLength(30);
  expect(lines.some((line) => 'notLogged' in line)).toBe(false);
});

test('a letter that the config asks for is neither logged nor counted', () => {
  const { lines, log, add } = open();
  for (let i = 0; i < 100; i++) add({ type: 'old' }, 'expired');
  log.end();
  expect(lines).toEqual([]);
  add();
  expect(lines).toHaveLength(1);
});

test('at the end it says how many were left out, once', () => {
  const { lines, log, add } = open();
  for (let i = 0; i < 12; i++) add();
  log.end();
  log.end();
  expect(lines.slice(10)).toMatchObject([{ notLogged: 2 }]);
});

test('a logger that throws disturbs nobody', () => {
  const { lines, add } = open(() => {
    throw new Error('a bad logger');
  });
  add();
  add();
  expect(lines).toHaveLength(2);
});
