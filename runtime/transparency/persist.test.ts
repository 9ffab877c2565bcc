import { expect, test } from 'vitest';
import { createActor, setup, waitFor, type AnyActorRef, type Snapshot } from 'xstate';
import { agent, type AgentRef, type PersistedEnvelope } from 'holdfast';
import { nextEvent, start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import tree from './fixtures/tree.ts';

const agents = {
  tree: agent<typeof tree>(agentIn('tree')),
  holder: agentIn('holders', { export: 'holder' }),
  inline: agentIn('holders', { export: 'inline' }),
  timed: agentIn('holders', { export: 'timed' }),
};

const json = (envelope: PersistedEnvelope): PersistedEnvelope =>
  JSON.parse(JSON.stringify(envelope)) as PersistedEnvelope;
const of = (child: string, type: string) => ({ type: 'to', child, event: { type } }) as const;
const read = (ref: AgentRef<typeof tree>, ...path: string[]) => ref.ask({ type: 'read', path });

/** Has it go somewhere, deep enough: states of children, history, their children, a child in the context. */
async function walked(ref: AgentRef<typeof tree>): Promise<void> {
  ref.send({ type: 'to', child: 'tally', event: { type: 'tally', by: 4 } });
  ref.send({ type: 'spawn', name: 'spawned' });
  ref.send({ type: 'keep' });
  for (const child of ['spawned', 'kept']) {
    for (const type of ['next', 'leaf.tally', 'rest']) ref.send(of(child, type));
  }
  await ref.deliver(of('echo', 'hello'));
}

test('a persisted agent continues with its context, its children, theirs, and their history', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree', { id: 'a', input: { by: 4 } });
  await walked(ref);
  const envelope = json(await ref.persist());
  await ref.stop();

  const again = await runtime.spawn('tree', { id: 'a', snapshot: envelope });
  expect((await again.snapshot()).context).toMatchObject({ doubled: 8, echoes: ['hello'] });
  expect(await read(again, 'tally')).toMatchObject({ context: 4 });
  for (const child of ['spawned', 'kept']) {
    expect(await read(again, child)).toEqual({
      status: 'active',
      value: 'rest',
      context: { name: child, visits: 1 },
    });
    expect(await read(again, child, 'leaf')).toMatchObject({ context: 5 });
    // To where it was before it rested, which only the history knows.
    again.send(of(child, 'back'));
    expect(await read(again, child)).toMatchObject({ value: { work: 'two' } });
  }
  again.send({ type: 'to.system', name: 'the-tally', event: { type: 'tally', by: 1 } });
  expect(await read(again, 'tally')).toMatchObject({ context: 5 });
});

test('restored children persist again, as often as one likes', async () => {
  const runtime = await start({ agents });
  let ref = await runtime.spawn('tree', { id: 'a' });
  await walked(ref);
  const first = json(await ref.persist());
  let envelope = first;
  for (let n = 1; n <= 3; n++) {
    await ref.stop();
    ref = await runtime.spawn('tree', { id: 'a', snapshot: envelope });
    await ref.deliver({ type: 'to', child: 'tally', event: { type: 'tally', by: 1 } });
    envelope = json(await ref.persist());
  }
  expect(await read(ref, 'tally')).toMatchObject({ context: 7 });
  const children = ({ snapshot }: PersistedEnvelope) =>
    (snapshot as { children: Record<string, { snapshot: { context: unknown } }> }).children;
  expect(children(envelope)['tally']?.snapshot.context).toBe(7);
  expect({ ...children(envelope), tally: null }).toEqual({ ...children(first), tally: null });
});

test('a snapshot with no later events persists as it was', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree', { id: 'a' });
  await walked(ref);
  const envelope = await ref.persist();
  await ref.stop();
  const again = await runtime.spawn('tree', { id: 'a', snapshot: envelope });
  expect((await again.persist()).snapshot).toEqual(envelope.snapshot);
});

test('what an agent persists is what XState persists of the same machine', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree', { input: { by: 3 } });
  const parent = createActor(
    setup({ actors: { tree } }).createMachine({ invoke: { id: 'kid', src: 'tree', input: { by: 3 } } }),
  ).start();
  const local = parent.getSnapshot().children['kid'] as AnyActorRef;
  for (const event of [of('branch', 'next'), { type: 'spawn', name: 's' }, of('s', 'rest')] as const) {
    ref.send(event);
    local.send(event);
  }
  await waitFor(
    local,
    (state) => (state as { context: { doubled: number } }).context.doubled === 6,
    deadline,
  );
  await waitFor(ref, (state) => state.context?.doubled === 6, deadline);
  expect((await ref.persist()).snapshot).toEqual(structuredClone(local.getPersistedSnapshot()));
  parent.stop();
});

test('restoring runs no entry action again; invoked promises and callbacks start anew', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree', { id: 'a', input: { by: 2 } });
  await waitFor(ref, (state) => state.context?.doubled === 4, deadline);
  const envelope = await ref.persist();
  await ref.stop();
  const letters = runtime.deadLetters.list().length;
  const again = await runtime.spawn('tree', { id: 'a', snapshot: envelope });
  const heard: unknown[] = [];
  again.on('*', (event) => heard.push(event));
  again.send(of('echo', 'still there'));
  again.send({ type: 'shout', n: 1 });
  await nextEvent((listener) => again.on('shouted', listener));
  expect((await again.snapshot()).context.echoes).toEqual(['still there']);
  expect(heard).toEqual([{ type: 'shouted', n: 1 }]);
  // Nor has it told its parent once more that it was born.
  expect(runtime.deadLetters.list()).toHaveLength(letters);
});

test('an after that was under way comes after a restore, and does not when the snapshot has no timers', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('timed', { id: 'a' });
  const envelope = json(await ref.persist());
  expect(envelope.snapshot).toMatchObject({ value: 'waiting' });
  await ref.stop();
  const { timers, ...bare } = envelope;
  expect(timers).toMatchObject([{ from: [], to: [], delayMs: 50 }]);
  const without = await runtime.spawn('timed', { id: 'b', snapshot: bare });
  const again = await runtime.spawn('timed', { id: 'a', snapshot: envelope });
  await waitFor(again, (state) => valueOf(state) === 'late', deadline);
  // A timer of the same length that starts later has come by then.
  const other = await runtime.spawn('timed', { id: 'c' });
  await waitFor(other, (state) => valueOf(state) === 'late', deadline);
  expect(valueOf(await without.snapshot())).toBe('waiting');
  await without.deliver({ type: 'go' });
  expect(valueOf(await without.snapshot())).toBe('late');
});

test('a child from logic without a name, or a function in the context, is refused and disturbs nothing', async () => {
  const runtime = await start({ agents });
  for (const name of ['holder', 'inline'] as const) {
    const ref = await runtime.spawn(name);
    const refused = (await ref.persist().catch((error: unknown) => error)) as Error;
    expect(refused.message).toMatch(/cannot be cloned.*string src|inline child/i);
    await ref.deliver({ type: 'any' });
    expect((ref.getSnapshot() as Snapshot<unknown>).status).toBe('active');
  }
  const ref = await runtime.spawn('holder');
  await expect(ref.persist()).rejects.toMatchObject({ name: 'HoldfastError', code: 'REPLY_UNCLONABLE' });
});

function valueOf(state: unknown): unknown {
  return (state as { value: unknown }).value;
}
