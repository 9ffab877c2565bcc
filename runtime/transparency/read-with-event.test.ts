import { expect, test } from 'vitest';
import { createActor, setup, type AnyActorLogic, type AnyActorRef, type AnyMachineSnapshot } from 'xstate';
import { agent, type AgentConfig } from 'holdfast';
import { start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import telling, * as others from './fixtures/telling.ts';

type Mirror = 'latest' | 'all';
type Telling = typeof telling;

const agents = (mirror: Mirror, config: Partial<AgentConfig> = {}) => ({
  telling: agent<Telling>(agentIn('telling', { mirror, ...config })),
  reducer: agent<typeof others.reducer>(agentIn('telling', { mirror, export: 'reducer' })),
  callback: agent<typeof others.callback>(agentIn('telling', { mirror, export: 'callback' })),
});

const text = (snapshot: unknown): string => {
  const { value, context } = snapshot as Partial<AnyMachineSnapshot>;
  return JSON.stringify([value, (context as { n?: number } | undefined)?.n]);
};

/** What a machine with that child notes, and reads of the child meanwhile. */
async function noted(child: AnyActorLogic, steps: readonly string[]): Promise<string[]> {
  const log: string[] = [];
  const machine = setup({ actors: { child: child as Telling } }).createMachine({
    invoke: {
      id: 'kid',
      src: 'child',
      onSnapshot: { actions: ({ event }) => log.push(`snapshot ${text(event.snapshot)}`) },
    },
    on: {
      told: {
        actions: ({ self }) => {
          const { kid } = (self.getSnapshot() as AnyMachineSnapshot).children as Record<string, AnyActorRef>;
          log.push(`from the child ${text(kid?.getSnapshot())}`);
        },
      },
    },
  });
  const parent = createActor(machine).start();
  const kid = parent.getSnapshot().children['kid'] as AnyActorRef;
  kid.on('told', () => log.push(`emitted ${text(kid.getSnapshot())}`));
  await expect.poll(() => log.length, deadline).toBe(1);
  for (const type of steps) {
    const before = log.length;
    kid.send({ type });
    // The notification is the last of a step.
    await expect.poll(() => log.slice(before).at(-1) ?? '', deadline).toMatch(/^snapshot/);
  }
  parent.stop();
  return log;
}

test.each<Mirror>(['latest', 'all'])(
  'a machine reads with an event of its agent what it reads with one of a local child, and hears it in that order: mirror %s',
  async (mirror) => {
    const runtime = await start({ agents: agents(mirror) });
    const steps = ['go', 'go', 'twice', 'failing'];
    const local = await noted(telling, steps);
    expect(local).toContain('from the child [{"b":"in"},2]');
    expect(await noted(runtime.logic('telling'), steps)).toEqual(local);
  },
);

test.each<Mirror>(['latest', 'all'])(
  'so does who listens to a spawned agent and watches it: mirror %s',
  async (mirror) => {
    const runtime = await start({ agents: agents(mirror) });
    const logs: string[][] = [];
    for (const ref of [createActor(telling).start(), await runtime.spawn('telling', { id: 'a' })]) {
      const log: string[] = [];
      ref.subscribe((snapshot) => log.push(`snapshot ${text(snapshot)}`));
      // The mirror begins with the watch.
      await expect.poll(() => log.length, deadline).toBe(logs.length);
      log.length = 0;
      ref.on('told', () => log.push(`emitted ${text(ref.getSnapshot())}`));
      for (const type of ['twice', 'failing'] as const) {
        const before = log.length;
        ref.send({ type });
        await expect.poll(() => log.slice(before).at(-1) ?? '', deadline).toMatch(/^snapshot/);
      }
      logs.push(log);
    }
    expect(logs[0]).toEqual([
      'emitted ["a",10]',
      'emitted ["a",10]',
      'snapshot ["a",10]',
      'emitted ["a",110]',
      'snapshot ["a",110]',
    ]);
    expect(logs[1]).toEqual(logs[0]);
  },
);

test('other logic that emits before it has its next state shows the one it has', async () => {
  const runtime = await start({ agents: agents('all') });
  for (const name of ['reducer', 'callback'] as const) {
    const logs: string[][] = [];
    const local = name === 'reducer' ? others.reducer : others.callback;
    for (const logic of [local, runtime.logic(name)] as unknown as (typeof others.reducer)[]) {
      const log: string[] = [];
      const actor = createActor(logic).start();
      actor.subscribe((snapshot) => log.push(`snapshot ${text(snapshot)}`));
      await expect.poll(() => log.length, deadline).toBe(logs.length);
      log.length = 0;
      actor.on('told', () => log.push(`emitted ${text(actor.getSnapshot())}`));
      for (let n = 1; n <= 2; n++) {
        actor.send({ type: 'go' });
        await expect.poll(() => log.length, deadline).toBe(2 * n);
      }
      // XState lets a reducer see its stop.
      logs.push([...log]);
      actor.stop();
    }
    expect(logs[1]).toEqual(logs[0]);
  }
});

test('a state that comes with an event while nobody watches is not told', async () => {
  const runtime = await start({ agents: agents('all') });
  const ref = await runtime.spawn('telling', { id: 'a' });
  const read: unknown[] = [];
  ref.on('told', () => read.push(ref.getSnapshot().value));
  await ref.deliver({ type: 'go' });
  expect(read).toEqual([undefined]);
});
