import { expect, test } from 'vitest';
import { createActor, sendTo, setup } from 'xstate';
import { agent, type AgentRef, type Logger, type RuntimeEvents } from 'holdfast';
import type haunting from '../fixtures/haunting.ts';
import type { alone, ledger, look } from '../fixtures/haunting.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const patient = { timeout: 60_000, interval: 20 };
const quick = { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } };
const once = { ...quick, intensity: { restarts: 0, withinMs: 60_000 } };

interface Seen {
  readonly seen: readonly string[];
  readonly outcomes: readonly unknown[];
}

/** An agent whose code does not heed its end, one that looks at its thread, and a ledger of what it orders. */
async function rig(supervision: object, strategy: object = {}) {
  const lines: { readonly fields: Record<string, unknown>; readonly message: string }[] = [];
  const note = (fields: object, message: string): void => void lines.push({ fields: { ...fields }, message });
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const runtime = await start(
    {
      agents: {
        haunting: agent<typeof haunting>(
          fixture('haunting', { supervision: { ...supervision, ...strategy } }),
        ),
        alone: agent<typeof alone>(fixture('haunting', { export: 'alone', supervision })),
        look: agent<typeof look>(fixture('haunting', { export: 'look' })),
        ledger: agent<typeof ledger>(fixture('haunting', { export: 'ledger', threadId: 'other' })),
      },
    },
    { logger },
  );
  const [look_, ledger_] = [
    await runtime.spawn('look', { id: 'l' }),
    await runtime.spawn('ledger', { id: 'l' }),
  ];
  const state = (wanted: string): Promise<unknown> =>
    nextEvent<RuntimeEvents['agent']>(
      (listener) => runtime.on('agent', listener),
      ({ state: now }) => now === wanted,
    );
  return {
    runtime,
    lines,
    state,
    looked: () => look_.ask({ type: 'take' }) as Promise<Seen>,
    orders: () => ledger_.ask({ type: 'take' }) as Promise<number>,
    wake: (incarnation: number) => look_.deliver({ type: 'wake', incarnation }),
    lettered: () => runtime.deadLetters.list().filter(({ reason }) => reason === 'stale-incarnation').length,
  };
}

type Rig = Awaited<ReturnType<typeof rig>>;

/** The first incarnation has ended: everything is cleaned up, and nothing that still runs of it reaches the ledger. */
async function assertQuiet({ looked, orders, wake, lettered, lines }: Rig): Promise<void> {
  const { seen } = await looked();
  const of = (sign: string): string[] =>
    seen
      .filter((what) => what.startsWith(sign) && what.endsWith(' 1'))
      .map((what) => what.slice(1))
      .toSorted();
  expect(of('+')).toEqual(['callback 1', 'callback 1', 'promise 1', 'promise 1']);
  expect(of('-')).toEqual(of('+'));
  const before = await orders();
  await wake(1);
  await expect
    .poll(async () => (await looked()).outcomes, patient)
    .toEqual([
      [1, 'AGENT_STOPPED', 'AGENT_STOPPED'],
      [1, 'AGENT_STOPPED', 'AGENT_STOPPED'],
    ]);
  expect(await orders()).toBe(before);
  // Two sends, an ask and a delivery, of two promises.
  await expect.poll(lettered, patient).toBe(8);
  const line = lines.find(({ message }) => message === 'a late line');
  expect(line?.fields).toMatchObject({
    address: expect.stringMatching(/^haunting\//) as string,
    incarnation: 1,
  });
}

test('what was begun does its work while its incarnation runs', async () => {
  const all = await rig(quick);
  await all.runtime.spawn('haunting', { id: 'h' });
  await all.wake(1);
  await expect.poll(async () => (await all.looked()).outcomes.length, patient).toBe(2);
  // Four of each promise, and one of the callback that the agent itself invoked.
  await expect.poll(all.orders, patient).toBe(9);
  expect(all.lettered()).toBe(0);
});

test('nothing acts beside the incarnation that was started after a failure', async () => {
  const all = await rig(quick);
  const ref = await all.runtime.spawn('haunting', { id: 'h' });
  const again = all.state('running');
  ref.send({ type: 'fail' });
  await again;
  await assertQuiet(all);

  await all.wake(2);
  await expect.poll(all.orders, patient).toBe(9);
  expect(all.lettered()).toBe(8);
});

test('nothing acts in quarantine', async () => {
  const all = await rig(once);
  const ref = await all.runtime.spawn('haunting', { id: 'h' });
  const over = all.state('quarantined');
  ref.send({ type: 'fail' });
  await over;
  await assertQuiet(all);
  await ref.stop();
});

test.each(['stop', 'end'] as const)('nothing acts when it was stopped or is done: %s', async (how) => {
  const all = await rig(quick);
  const ref = await all.runtime.spawn('haunting', { id: 'h' });
  const over = all.state('ended');
  if (how === 'stop') await ref.stop();
  else ref.send({ type: 'end' });
  await over;
  await assertQuiet(all);
});

test('nothing acts after the onError of the machine that invoked it', async () => {
  const all = await rig(quick);
  const machine = setup({ actors: { haunting: all.runtime.logic('haunting') } }).createMachine({
    initial: 'on',
    states: { on: { invoke: { id: 'h', src: 'haunting', onError: 'failed' } }, failed: {} },
    on: { fail: { actions: sendTo('h', { type: 'fail' }) } },
  });
  const actor = createActor(machine).start();
  await all.state('running');
  actor.send({ type: 'fail' });
  await expect.poll(() => actor.getSnapshot().value, patient).toBe('failed');
  await assertQuiet(all);
  actor.stop();
});

test.each(['all-for-one', 'rest-for-one'])(
  'nothing acts of the one that its group failed with: %s',
  async (strategy) => {
    const all = await rig(quick, { strategy });
    const ref: AgentRef = await all.runtime.spawn('haunting', { id: 'h' });
    const again = all.state('running');
    ref.send({ type: 'fail' });
    await again;
    await assertQuiet(all);
  },
);

test('a callback that is the agent itself is cleaned up when it fails, and what its cleanup throws is told', async () => {
  const { runtime, lines, state, looked, orders, wake, lettered } = await rig(quick);
  const ref = await runtime.spawn('alone', { id: 'a' });
  const again = state('running');
  ref.send({ type: 'fail' });
  await again;
  expect((await looked()).seen).toEqual(['+callback 1', '-callback 1', '+callback 2']);
  const told = (part: string): boolean => lines.some(({ message }) => message.includes(part));
  expect(told('in its cleanup')).toBe(true);

  await wake(1);
  await expect.poll(async () => (await looked()).outcomes, patient).toEqual([[1]]);
  await expect.poll(lettered, patient).toBe(1);
  await expect.poll(() => told('incarnation 1 of alone/a, which has ended, was refused'), patient).toBe(true);
  expect(await orders()).toBe(0);
  // Its cleanup throws again: that is no failure of an instance that is stopped.
  await ref.stop();
  expect(runtime.status().instances.map(({ address }) => address)).not.toContain('alone/a');
});
