import { expect, test } from 'vitest';
import type { PeerEnd } from './peer-end.ts';
import { PeerWatches } from './peer-watches.ts';
import type { Self } from './thread-state.ts';

const self = (id: string): Self => ({ address: `a/${id}`, threadId: 'pool', thread: 1, incarnation: 1 });
const end: PeerEnd = { address: 'b/1', incarnation: 1, reason: 'done' };

function rig() {
  const asked: { address: string; tell: (end: PeerEnd) => void; fail: (error: Error) => void }[] = [];
  const watches = new PeerWatches(
    (address) => new Promise((tell, fail) => void asked.push({ address, tell, fail })),
  );
  const heard: string[] = [];
  const hear = (who: string) => (): void => void heard.push(who);
  const told = async (n: number): Promise<string[]> => {
    asked[n]?.tell(end);
    await new Promise((resolve) => setImmediate(resolve));
    return heard;
  };
  return { watches, asked, hear, told };
}

test('the host is asked once for an address, and again for the next incarnation', async () => {
  const { watches, asked, hear, told } = rig();
  watches.watch(self('1'), 'b/1', hear('one'));
  watches.watch(undefined, 'b/1', hear('two'));
  expect(asked.map(({ address }) => address)).toEqual(['b/1']);
  expect([await told(0), watches.size]).toEqual([['one', 'two'], 0]);
  watches.watch(self('1'), 'b/1', hear('three'));
  expect([asked.length, await told(1)]).toEqual([2, ['one', 'two', 'three']]);
});

test('nothing is kept of an instance that has ended, nor of one that has given up', async () => {
  const { watches, hear, told } = rig();
  const [one, two] = [self('1'), self('2')];
  watches.watch(one, 'b/1', hear('one'));
  const giveUp = watches.watch(two, 'b/1', hear('two'));
  watches.watch(two, 'b/1', hear('three'));
  watches.left(one);
  giveUp();
  expect([watches.size, await told(0)]).toEqual([1, ['three']]);
});

test('a host that does not answer any more leaves nothing behind', async () => {
  const { watches, asked, hear, told } = rig();
  watches.watch(undefined, 'b/1', hear('one'));
  asked[0]?.fail(new Error('the thread is gone'));
  expect([await told(0), watches.size]).toEqual([[], 0]);
});
