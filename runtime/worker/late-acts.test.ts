import { expect, test } from 'vitest';
import { FakeClock } from '../mailbox/fixtures/fake-clock.ts';
import { createLateActs } from './late-acts.ts';

const of = (incarnation: number) => ({ address: 'a/1', threadId: 'a', thread: 1, incarnation });

test('what an incarnation that has ended tries is told once, and then counted for as long as it goes on', () => {
  const clock = new FakeClock();
  const warnings: string[] = [];
  const acts = createLateActs((message) => warnings.push(message), clock);
  const [first, second] = [of(1), of(2)];
  for (let n = 0; n < 100; n++) acts.add(first, 'an event to its parent');
  acts.add(second, 'the use of a secret');
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain('incarnation 1 of a/1, which has ended, was refused an event to its parent');
  expect(warnings[1]).toContain('incarnation 2 of a/1, which has ended, was refused the use of a secret');

  clock.pass(30_000);
  expect(warnings.slice(2)).toEqual(['incarnation 1 of a/1, which has ended, was refused 99 more']);
  clock.pass(30_000);
  expect(warnings).toHaveLength(3);
  // Nothing is kept of one that has become quiet.
  expect(clock.pending).toBe(0);
  acts.add(first, 'an event to its parent');
  expect(warnings).toHaveLength(4);
});
