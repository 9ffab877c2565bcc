import { expect, test } from 'vitest';
import { settled } from '../instance/fixtures/lone-instance.ts';
import { Commits } from './commits.ts';

/** What was asked of the host, which answers when it is told to. */
function rig() {
  const asked: (readonly number[])[] = [];
  const answers: PromiseWithResolvers<readonly number[]>[] = [];
  const ran: string[] = [];
  const commits = new Commits({
    flush: () => {},
    committed(slots) {
      asked.push(slots);
      const answer = Promise.withResolvers<readonly number[]>();
      answers.push(answer);
      return answer.promise;
    },
    letOut: () => void ran.push('let out'),
  });
  const after = (slot: number, what: string): void => commits.after({ slot }, () => void ran.push(what));
  return { commits, asked, answers, ran, after };
}

test('the host is asked once a turn, of each that waits once; what another runtime has continued lets nothing out', async () => {
  const { commits, asked, answers, ran, after } = rig();
  after(3, 'a');
  after(5, 'b');
  after(3, 'c');
  await settled();
  after(5, 'd');
  await settled();
  expect([asked, ran, commits.busy]).toEqual([[[3, 5], [5]], [], true]);
  const passed = commits.passed();
  answers[0]?.resolve([5]);
  await settled();
  expect(ran).toEqual(['a', 'c', 'let out']);
  answers[1]?.resolve([]);
  await passed;
  expect([ran.slice(3), commits.busy]).toEqual([['d', 'let out'], false]);
});

test('without a host nothing is let out', async () => {
  const { answers, ran, after } = rig();
  after(3, 'a');
  await settled();
  answers[0]?.reject(new Error('the host is gone'));
  await settled();
  expect(ran).toEqual(['let out']);
});
