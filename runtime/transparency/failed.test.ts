import { expect, test } from 'vitest';
import { createActor, type AnyActorLogic, type AnyActorRef, type AnyMachineSnapshot } from 'xstate';
import { start } from '../fixtures/start.ts';
import { agentIn } from './fixtures/agents.ts';
import { failsAtEntry, failsByChild, failsLater } from './fixtures/telling.ts';

const logics = { failsAtEntry, failsByChild, failsLater };

/** What is left to be read of an actor that fails, once it has. */
async function remains(logic: AnyActorLogic, watched: boolean): Promise<unknown> {
  const actor = createActor(logic);
  const failed = new Promise((resolve) => {
    actor.subscribe({ ...(watched && { next() {} }), error: resolve });
  });
  actor.start();
  const { message } = (await failed) as Error;
  const { status, value, context, children, error } = actor.getSnapshot() as AnyMachineSnapshot;
  expect((error as Error).message).toBe(message);
  const states = Object.entries(children).map(([id, child]) => [
    id,
    (child as AnyActorRef).getSnapshot().status as unknown,
  ]);
  return { status, value, context, message, children: Object.fromEntries(states) as unknown };
}

test.each([
  ['failsAtEntry', false],
  ['failsAtEntry', true],
  ['failsByChild', false],
  ['failsByChild', true],
  ['failsLater', false],
  ['failsLater', true],
] as const)('an agent that fails keeps the state it failed in: %s, watched %s', async (name, watched) => {
  const agents = { [name]: agentIn('telling', { export: name, mirror: 'all' }) };
  const runtime = await start({ agents });
  const local = await remains(logics[name] as AnyActorLogic, watched);
  expect(local).toMatchObject({ status: 'error', value: 'a' });
  expect(await remains(runtime.logic(name), watched)).toEqual(local);
});
