import { expect, test } from 'vitest';
import {
  createActor,
  sendTo,
  setup,
  waitFor,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type Snapshot,
} from 'xstate';
import { agent } from 'holdfast';
import { start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import tagged from './fixtures/tagged.ts';

const agents = { tagged: agent<typeof tagged>(agentIn('tagged', { mirror: 'all' })) };

/** What an observer can tell of a snapshot. */
const seenOf = (snapshot: unknown): unknown => {
  const { status, value, context, children, ...machine } = snapshot as AnyMachineSnapshot;
  const tags = ['busy', 'ended'].filter((tag) =>
    (snapshot as typeof machine & AnyMachineSnapshot).hasTag(tag),
  );
  return { status, value, context, tags, children: Object.keys(children) };
};
const json = (snapshot: unknown): Snapshot<unknown> =>
  JSON.parse(JSON.stringify(snapshot)) as Snapshot<unknown>;
const initial = { status: 'active', value: 'a', context: { n: 0 }, tags: ['busy'], children: ['tally'] };
const gone = { status: 'active', value: 'b', context: { n: 1 }, tags: [], children: [] };

test('an observer of an actor that is restored from a snapshot is given each state once, as it is', async () => {
  const runtime = await start({ agents });
  const local = createActor(tagged).start();
  const snapshot = json(local.getPersistedSnapshot());
  local.stop();
  const seen: unknown[][] = [];
  for (const logic of [tagged, runtime.logic('tagged')]) {
    const states: unknown[] = [];
    const actor = createActor(logic as typeof tagged, { snapshot: structuredClone(snapshot) });
    actor.subscribe((next) => states.push(seenOf(next)));
    actor.start();
    expect(actor.getSnapshot()).toMatchObject({ value: 'a', context: { n: 0 } });
    await expect.poll(() => states.length, deadline).toBeGreaterThan(0);
    actor.send({ type: 'go' });
    await expect.poll(() => states.at(-1), deadline).toEqual(gone);
    seen.push(states);
    actor.stop();
  }
  expect(seen).toEqual([
    [initial, gone],
    [initial, gone],
  ]);
});

/** What the machine of a host persists of an agent has no children. */
const childless = { ...initial, children: [] };

test('a machine of the host that is restored with an agent hears what one with a local child hears', async () => {
  const runtime = await start({ agents });
  const agentLogic = runtime.logic('tagged') as unknown as typeof tagged;
  for (const [child, restored] of [
    [tagged, initial],
    [agentLogic, childless],
  ] as const) {
    const states: unknown[] = [];
    const machine = setup({ actors: { child } }).createMachine({
      invoke: {
        id: 'kid',
        src: 'child',
        onSnapshot: { actions: ({ event }) => states.push(seenOf(event.snapshot)) },
      },
      on: { go: { actions: sendTo('kid', { type: 'go' }) } },
    });
    const first = createActor(machine).start();
    await expect.poll(() => states, deadline).toEqual([initial]);
    const snapshot = json(first.getPersistedSnapshot());
    first.stop();
    states.length = 0;
    const again = createActor(machine, { snapshot }).start();
    const kid = again.getSnapshot().children['kid'] as AnyActorRef;
    // What is read before it has been mirrored is what was persisted, tags included.
    expect(seenOf(kid.getSnapshot())).toMatchObject({ value: 'a', context: { n: 0 }, tags: ['busy'] });
    await expect.poll(() => states, deadline).toEqual([restored]);
    again.send({ type: 'go' });
    await expect.poll(() => states, deadline).toEqual([restored, gone]);
    again.stop();
  }
});

test('an actor that had ended when it was persisted has its tags when it is restored', async () => {
  const runtime = await start({ agents });
  const first = createActor(runtime.logic('tagged')).start();
  for (const type of ['go', 'end'] as const) first.send({ type });
  await waitFor(first, ({ status }) => status === 'done', deadline);
  const again = createActor(runtime.logic('tagged'), {
    snapshot: json(first.getPersistedSnapshot()),
  });
  const seen: unknown[] = [];
  again.subscribe((next) => seen.push(seenOf(next)));
  again.start();
  expect(seen).toEqual([{ status: 'done', value: 'c', context: { n: 1 }, tags: ['ended'], children: [] }]);
});
