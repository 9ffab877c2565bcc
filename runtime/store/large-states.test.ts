import { expect, it } from 'vitest';
import type { AgentRef } from 'holdfast';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';

const agents = {
  account: fixture('account', { maxThreads: 1 }),
  archive: { ...fixture('account', { maxThreads: 1 }), threadId: 'archive' },
};

/** Makes a state of 512 KiB. */
const grow = { type: 'double', times: 19 };
const deposit = { type: 'deposit', amount: 1 };

it('amendment 23: a state of more than 256 KiB is committed by itself, and is told then', async () => {
  const gate = gatedStore();
  const runtime = await start({ agents }, { store: gate.store });
  const spawned = (agent: 'account' | 'archive', id: string): Promise<AgentRef> =>
    runtime.spawn(agent, { id }) as Promise<never>;
  const [one, two] = [await spawned('account', 'one'), await spawned('account', 'two')];
  const large = await spawned('archive', 'large');
  gate.shut();
  const told: string[] = [];
  const telling = (what: string, call: Promise<unknown>): Promise<unknown> =>
    call.then(() => told.push(what));
  const calls = [telling('large', large.deliver(grow))];
  const first = await gate.next();
  calls.push(telling('one', one.ask(deposit)), telling('two', two.ask(deposit)));
  await expect.poll(() => runtime.status().store?.waiting).toBe(3);
  const addresses = [first.group.turns.map(({ address }) => address)];
  first.go();
  await calls[0];
  expect(told).toEqual(['large']);
  const second = await gate.next();
  addresses.push(second.group.turns.map(({ address }) => address).toSorted());
  gate.open();
  second.go();
  await Promise.all(calls);
  expect(addresses).toEqual([['archive/large'], ['account/one', 'account/two']]);
});

it('amendment 23: long texts of a large state go ahead of it with what others have, and it is told when all of it is committed', async () => {
  const gate = gatedStore();
  const runtime = await start({ agents }, { store: { ...gate.store, textsAhead: true } });
  const one = await runtime.spawn('account', { id: 'one' });
  const large = await runtime.spawn('archive', { id: 'large' });
  await large.deliver(grow);
  gate.shut();
  const told: string[] = [];
  const call = large.deliver({ type: 'double', times: 20 }).then(() => told.push('large'));
  const first = await gate.next();
  const other = one.ask(deposit).then(() => told.push('one'));
  await expect.poll(() => runtime.status().store?.waiting).toBe(2);
  first.go();
  const groups = [first.group];
  /** Lets the next group go. */
  const next = async (): Promise<void> => {
    const { group, go } = await gate.next();
    groups.push(group);
    go();
  };
  await next();
  await other;
  await next();
  await next();
  await call;
  const parts = groups.map(({ turns }) =>
    turns.map(({ address, texts, record }) => [
      address,
      texts?.length,
      record?.parts && [record.parts.added.length, record.parts.removed.length],
    ]),
  );
  expect(parts).toEqual([
    [['archive/large', 4, undefined]],
    [
      ['account/one', undefined, undefined],
      ['archive/large', 4, undefined],
    ],
    [['archive/large', 1, undefined]],
    [['archive/large', undefined, [0, 5]]],
  ]);
  expect(told).toEqual(['one', 'large']);
  gate.open();
});

it('amendment 23: a turn that leaves a large state as it was writes nothing', async () => {
  const gate = gatedStore();
  const runtime = await start({ agents }, { store: gate.store });
  const ref = await runtime.spawn('account', { id: 'a' });
  await ref.deliver(grow);
  gate.shut();
  for (let n = 0; n < 3; n++) expect(await ref.ask({ type: 'total' })).toBe(0);
  gate.open();
});

it('of a state of many small fields only what is near to what has changed is written, and the next runtime has all of it', async () => {
  const gate = gatedStore();
  const first = await start({ agents }, { store: gate.store });
  const ref = await first.spawn('account', { id: 'a' });
  const note = Array.from({ length: 1000 }, (_, line) => ({ line, text: `the line ${line}` }));
  await ref.deliver({ type: 'note', note });
  await ref.ask(deposit);
  gate.shut();
  const call = ref.ask(deposit);
  const { group, go } = await gate.next();
  const record = group.turns[0]?.record;
  expect(record?.parts).toMatchObject({ isWhole: false, added: [], removed: [] });
  expect(record?.parts?.text.length).toBeLessThan(1000);
  const context = { total: 2, count: 2, note };
  expect(JSON.parse(record?.state as string)).toMatchObject({ snapshot: { context } });
  gate.open();
  go();
  await call;
  await first.stop();
  const second = await start({ agents }, { store: gate.store });
  const again = await second.spawn('account', { id: 'a' });
  expect(await again.persist()).toMatchObject({ snapshot: { context } });
});
