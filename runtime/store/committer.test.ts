import { expect, onTestFinished, test, vi } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { Committer, type Drafting, type HostDrafting } from './committer.ts';
import type { CommitGroup, CommitResult } from './durable-store.ts';

interface Sent {
  readonly group: CommitGroup;
  readonly answer: PromiseWithResolvers<CommitResult>;
}

const written: CommitResult = { fenced: [], unknown: [] };

/** A committer over a store that takes three groups at once and answers when the test says so. */
function committing(groupsAtOnce?: number, clock: Clock = systemClock) {
  const sent: Sent[] = [];
  const failed: string[] = [];
  const warned: string[] = [];
  const committer = new Committer({
    store: {
      groupsAtOnce,
      commit: (group) => {
        const answer = Promise.withResolvers<CommitResult>();
        sent.push({ group, answer });
        return answer.promise;
      },
    },
    clock,
    owner: 'o',
    warn: (_fields, message) => void warned.push(message),
    overtaken: () => {},
    failed: ({ message }) => void failed.push(message),
  });
  onTestFinished(() => committer.abandon());
  const told: string[] = [];
  /** Somebody with states to commit, each with a number. */
  const somebody = (address: string, isPlain = true, isLarge = false, parts = 0) => {
    let n = 0;
    let left = 0;
    const drafting: Drafting = {
      isPlain,
      get isLarge() {
        return isLarge && (parts === 0 || left > 0);
      },
      get isInParts() {
        return left > 0;
      },
      takePart: () => ({ address, after: undefined, texts: [[left--, '']] }),
      draft: () => {
        const record = {
          address,
          incarnation: 1,
          seq: n,
          state: '',
          meta: '',
          wakes: false,
          quarantined: false,
        };
        return { address, after: undefined, record };
      },
      passed: () => {},
      written: (group) => void told.push(`${address} ${group}`),
      lost: (why) => void told.push(`${address} ${why}`),
    };
    return (): void => {
      n += 1;
      left = parts;
      const mine = `${address}${n}`;
      committer.add(drafting).whenSettled(() => told.push(`told ${mine}`));
    };
  };
  const groups = (): string[] =>
    sent.map(({ group }) =>
      group.turns.map(({ address, record }) => `${address}${record?.seq ?? ' ahead'}`).join(' '),
    );
  return { committer, sent, told, warned, failed, somebody, groups };
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a group leaves while others are on their way, as many as the store takes, and what waits gathers', async () => {
  const { somebody, groups, sent, told } = committing(2);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((address) => somebody(address));
  for (const add of [a, b, c, d]) {
    add?.();
    await soon();
  }
  expect(groups()).toEqual(['a1', 'b1']);
  sent[0]?.answer.resolve(written);
  await soon();
  expect(groups()).toEqual(['a1', 'b1', 'c1 d1']);
  expect(told).toEqual(['a o.1', 'told a1']);
});

test('a store that says nothing of it gets one group at a time', async () => {
  const { somebody, groups } = committing();
  for (const address of ['a', 'b']) {
    somebody(address)();
    await soon();
  }
  expect(groups()).toEqual(['a1']);
});

test('of one address one state is on its way, and of those that wait the newest goes', async () => {
  const { somebody, groups, sent, told } = committing(8);
  const [a, b] = [somebody('a'), somebody('b')];
  a();
  await soon();
  a();
  b();
  a();
  await soon();
  expect(groups()).toEqual(['a1']);
  sent[0]?.answer.resolve(written);
  await soon();
  expect(groups()).toEqual(['a1', 'a3 b1']);
  sent[1]?.answer.resolve(written);
  await soon();
  expect(told).toEqual(['a o.1', 'told a1', 'a o.2', 'b o.2', 'told a2', 'told b1', 'told a3']);
});

test('what touches more than its own record is on its way alone', async () => {
  const { committer, somebody, groups, sent } = committing(8);
  const host: HostDrafting = { draft: () => ({ rows: [] }), written: () => {} };
  somebody('a')();
  await soon();
  somebody('end', false)();
  await soon();
  somebody('b')();
  await soon();
  expect(groups()).toEqual(['a1']);
  for (const { answer } of sent) answer.resolve(written);
  await soon();
  expect(groups()).toEqual(['a1', 'end1 b1']);
  somebody('c')();
  await soon();
  expect(groups()).toHaveLength(2);
  sent[1]?.answer.resolve(written);
  await soon();
  expect(groups().at(-1)).toBe('c1');
  committer.addHost(host);
  await soon();
  expect(sent).toHaveLength(3);
  sent[2]?.answer.resolve(written);
  await soon();
  expect(sent[3]?.group).toMatchObject({ rows: [] });
});

test('groups behind one that failed go again after it, one by one, each with its id, and before any other', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { committer, somebody, groups, sent, told, warned } = committing(8);
  for (const address of ['a', 'b', 'c']) {
    somebody(address)();
    await soon();
  }
  const failure = new HoldfastError('STORE_FAILED', 'no disk');
  for (const { answer } of sent.slice().toReversed()) answer.reject(failure);
  await soon();
  somebody('d')();
  await soon();
  expect(committer.health).toMatchObject({ state: 'failing', waiting: 4 });
  await vi.advanceTimersByTimeAsync(1000);
  await soon();
  expect(groups()).toEqual(['a1', 'b1', 'c1', 'a1']);
  for (let i = 3; i < 6; i++) {
    sent[i]?.answer.resolve(written);
    await soon();
  }
  expect(groups().slice(3)).toEqual(['a1', 'b1', 'c1', 'd1']);
  expect(sent.map(({ group }) => group.id).slice(3)).toEqual(['o.1', 'o.2', 'o.3', 'o.4']);
  expect(told.filter((text) => text.startsWith('told'))).toEqual(['told a1', 'told b1', 'told c1']);
  expect([warned.length, committer.health.state]).toEqual([1, 'ok']);
});

test('a large state is on its way alone, and between two of them what the others have by then', async () => {
  const { committer, somebody, groups, sent, told } = committing(8);
  const [a, b, c] = ['a', 'b', 'c'].map((address) => somebody(address));
  const [large, larger] = [somebody('L', true, true), somebody('M', true, true)];
  a?.();
  await soon();
  large();
  larger();
  b?.();
  await soon();
  expect(groups()).toEqual(['a1']);
  const answer = async (i: number, next: readonly string[]): Promise<void> => {
    sent[i]?.answer.resolve(written);
    await soon();
    expect(groups().slice(i + 1)).toEqual(next);
  };
  await answer(0, ['L1']);
  // It is told with the newest state of all that it had by then.
  larger();
  c?.();
  await soon();
  await answer(1, ['b1 c1']);
  a?.();
  await soon();
  await answer(2, ['M2']);
  expect(committer.health.waiting).toBe(2);
  await answer(3, ['a2']);
  await answer(4, []);
  expect(told.filter((what) => what.startsWith('told'))).toEqual(
    ['a1', 'L1', 'b1', 'c1', 'M1', 'M2', 'a2'].map((what) => `told ${what}`),
  );
  expect(committer.idle).toBe(true);
});

test('whoever waits for all that is to be written waits for large states too', async () => {
  const { committer, somebody, sent } = committing(8);
  somebody('a')();
  await soon();
  somebody('L', true, true)();
  let isFlushed = false;
  void committer.flushed().then(() => (isFlushed = true));
  sent[0]?.answer.resolve(written);
  await soon();
  expect(isFlushed).toBe(false);
  sent[1]?.answer.resolve(written);
  await soon();
  expect(isFlushed).toBe(true);
});

test('a store that fails three times in a minute is told to fail, for however short a time, and once', async () => {
  let now = 0;
  const { committer, failed, sent, somebody } = committing(1, { ...systemClock, now: () => now });
  const a = somebody('a');
  const fails = async (at: number, message: string): Promise<void> => {
    now = at;
    a();
    await soon();
    sent.at(-1)?.answer.reject(new HoldfastError('STORE_FAILED', message));
    await soon();
    void committer.flushed();
    await soon();
    sent.at(-1)?.answer.resolve(written);
    await soon();
  };
  await fails(0, 'first');
  await fails(50_000, 'second');
  await fails(70_000, 'third, and two in a minute');
  expect(failed).toEqual([]);
  await fails(100_000, 'fourth, and three in a minute');
  await fails(101_000, 'fifth');
  expect(failed).toEqual(['fourth, and three in a minute']);
});

test('a large state goes part by part with what others have, and is told when the rest of it is written', async () => {
  const { committer, somebody, groups, sent, told } = committing(8);
  const [a, b] = ['a', 'b'].map((address) => somebody(address));
  const [large, larger] = [somebody('L', true, true, 2), somebody('M', true, true, 1)];
  large();
  larger();
  a?.();
  await soon();
  b?.();
  await soon();
  // The others do not wait for a part that is on its way.
  expect(groups()).toEqual(['a1 L ahead', 'b1']);
  const answer = async (i: number, next: readonly string[]): Promise<void> => {
    sent[i]?.answer.resolve(written);
    await soon();
    expect(groups().slice(i + 1)).toEqual(next);
  };
  await answer(0, ['b1', 'L ahead']);
  a?.();
  await soon();
  await answer(1, ['L ahead', 'a2']);
  await answer(2, ['a2', 'L1']);
  expect(told.filter((what) => what.startsWith('told'))).toEqual(['a1', 'b1'].map((what) => `told ${what}`));
  await answer(3, ['L1', 'M ahead']);
  await answer(4, ['M ahead']);
  expect(told.at(-1)).toBe('told L1');
  expect(told.filter((what) => what.startsWith('L'))).toEqual(['L o.5']);
  await answer(5, ['M1']);
  await answer(6, []);
  expect(told.at(-1)).toBe('told M1');
  expect(committer.idle).toBe(true);
});
