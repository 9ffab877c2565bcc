import { expect, it } from 'vitest';
import { CallOrder } from './call-order.ts';
import { MOST_CALLS } from './messages.ts';

/** An order, what has left by it, and what is under way. */
function start() {
  const left: string[] = [];
  const asked: PromiseWithResolvers<unknown>[] = [];
  const under = new Map<string, PromiseWithResolvers<void>>();
  let idle = 0;
  const order = new CallOrder({
    address: 'account/a',
    placed() {
      left.push('placed?');
      asked.push(Promise.withResolvers());
      return asked.at(-1)!.promise;
    },
    idle: () => (idle += 1),
  });
  const leave = (name: string): Promise<void> => {
    left.push(name);
    return open(name).promise;
  };
  const open = (name: string): PromiseWithResolvers<void> => {
    const one = under.get(name) ?? Promise.withResolvers<void>();
    under.set(name, one);
    return one;
  };
  return {
    order,
    left,
    asked,
    row: (name: string) => order.keep(() => leave(name)),
    call: (name: string) =>
      order.call((turn) => {
        turn(() => void left.push(name));
        return open(name).promise;
      }),
    end: (name: string) => open(name).resolve(),
    fail: (name: string, error: Error) => open(name).reject(error),
    idle: () => idle,
  };
}
/** All that follows from what has settled has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('lets those of one kind leave at once, and nobody ask where they are', () => {
  const calls = start();
  for (const name of ['a', 'b']) void calls.call(name);
  expect(calls.left).toEqual(['a', 'b']);
  const rows = start();
  for (const name of ['a', 'b']) void rows.row(name);
  expect(rows.left).toEqual(['a', 'b']);
});

it('has a row wait until the calls before it have their places, and a call until the rows before it are kept', async () => {
  const { order: _, left, asked, row, call, end } = start();
  for (const name of ['c1', 'c2']) void call(name);
  for (const name of ['r1', 'r2']) void row(name);
  for (const name of ['c3', 'c4']) void call(name);
  void row('r3');
  expect(left).toEqual(['c1', 'c2', 'placed?']);
  asked[0]?.resolve(undefined);
  await settled();
  expect(left.splice(0)).toEqual(['c1', 'c2', 'placed?', 'r1', 'r2']);
  end('r1');
  await settled();
  expect(left).toEqual([]);
  end('r2');
  await settled();
  expect(left.splice(0)).toEqual(['c3', 'c4', 'placed?']);
  asked[1]?.resolve(undefined);
  await settled();
  expect(left).toEqual(['r3']);
});

it('frees a row when the calls before it are over, and holds the next behind those that have left since it asked', async () => {
  const { left, asked, row, call, end } = start();
  void call('c1');
  void row('r1');
  end('c1');
  await settled();
  end('r1');
  await settled();
  void call('c2');
  void row('r2');
  asked[0]?.resolve(undefined);
  await settled();
  expect(left).toEqual(['c1', 'placed?', 'r1', 'c2', 'placed?']);
});

it('frees rows when nobody can say whether a call has its place, and calls when a row is not kept', async () => {
  const { left, asked, row, call, fail } = start();
  void call('c1');
  const kept = row('r1');
  void call('c2');
  asked[0]?.reject(new Error('the node is gone'));
  await settled();
  fail('r1', new Error('not kept'));
  await expect(kept).rejects.toThrow('not kept');
  await settled();
  expect(left).toEqual(['c1', 'placed?', 'r1', 'c2']);
});

it('has a call that is given up before its turn never leave, and hold nobody', async () => {
  const { left, row, call, end, fail } = start();
  void row('r1');
  const given = call('c1');
  void row('r2');
  fail('c1', new Error('given up'));
  await expect(given).rejects.toThrow('given up');
  await settled();
  end('r1');
  await settled();
  expect(left).toEqual(['r1', 'r2']);
});

it('has rows wait for nothing when the node stops', () => {
  const { order, left, row, call } = start();
  void call('c1');
  void row('r1');
  order.release();
  void row('r2');
  expect(left).toEqual(['c1', 'placed?', 'r1', 'r2']);
});

it('refuses rows when too many wait', async () => {
  const { left, asked, row, call } = start();
  void call('c1');
  for (let n = 0; n < MOST_CALLS; n += 1) void row('r');
  await expect(row('r')).rejects.toMatchObject({ code: 'MAILBOX_FULL' });
  asked[0]?.resolve(undefined);
  await settled();
  expect(left.length).toBe(2 + MOST_CALLS);
});

it('is idle when all is over', async () => {
  const { row, call, end, idle } = start();
  void call('c1');
  void row('r1');
  end('c1');
  await settled();
  expect(idle()).toBe(0);
  end('r1');
  await settled();
  expect(idle()).toBe(1);
});
