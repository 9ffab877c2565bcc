import { describe, expect, test } from 'vitest';
import type { AgentConfig } from 'holdfast';
import type { TestRuntime } from 'holdfast/testing';
import { fixture, startTest } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from '../store/memory-durable-store.ts';

/** A process with a desk whose machine has that form. One failure is the end of it, and of its record. */
async function deploy(memory: ReturnType<typeof durableMemory>, form = ''): Promise<TestRuntime> {
  const desk: AgentConfig = {
    ...fixture('changing', { supervision: { restart: 'temporary', state: 'snapshot' } }),
    module: new URL(`../fixtures/changing.ts${form}`, import.meta.url),
  };
  return startTest({ agents: { desk } }, { store: memoryDurableStore(memory) });
}

/** A desk with one note, and one that waits in the store, of a process that has ended. */
async function left(...events: readonly string[]) {
  const memory = durableMemory();
  const runtime = await deploy(memory);
  const ref = await runtime.spawn('desk', { id: 'a' });
  await ref.ask({ type: 'note', n: 1 });
  for (const type of events) await ref.deliver({ type });
  await ref.enqueue({ type: 'note', n: 2 }, { at: runtime.clock.now() + 60_000 });
  await runtime.stop();
  return memory;
}

/** What the desk has a minute later, when what waits was handled. */
async function notesIn(runtime: TestRuntime): Promise<unknown> {
  const ref = runtime.get('desk/a') ?? (await runtime.getOrSpawn('desk', 'a'));
  await runtime.clock.advance(120_000);
  return ref.ask({ type: 'read' });
}

describe('a durable instance whose machine has changed', () => {
  test.each<[string, string, readonly string[]]>([
    ['has lost or renamed its state', '?form=gone', ['split']],
    ['has lost the states within its state', '?form=joined', ['split']],
    ['has gained a field of its context', '?form=grown&version=2&migrates=less', []],
    ['has a version to which nobody migrates', '?version=2', []],
  ])('in that it %s is quarantined, and loses nothing', async (_what, form, events) => {
    const memory = await left(...events);
    const [before] = memory.records.values();
    const runtime = await deploy(memory, form);
    const said = await runtime
      .getOrSpawn('desk', 'a')
      .then((ref) => ref.ask({ type: 'note', n: 3 }))
      .catch((error: { code: string; cause?: { code: string } }) => error.cause?.code ?? error.code);
    expect(said).toBe('STATE_INCOMPATIBLE');
    expect(runtime.status().instances).toMatchObject([{ address: 'desk/a', state: 'quarantined' }]);
    const ref = runtime.get('desk/a');
    await ref?.resume().catch(() => {});
    await ref?.ask({ type: 'note', n: 3 }).catch(() => {});
    expect(runtime.status().instances).toMatchObject([{ state: 'quarantined' }]);
    await runtime.stop();
    const { state, version } = before as { state: unknown; version: unknown };
    expect([...memory.records.values()]).toMatchObject([{ state, version, quarantined: true }]);
    expect(memory.rows.size).toBe(1);
    // The machine of before goes on with everything.
    const again = await deploy(memory);
    await again.getOrSpawn('desk', 'a').catch(() => {});
    await again.get('desk/a')?.resume();
    expect(await notesIn(again)).toEqual([1, 2]);
  });

  test.each<[string, string, readonly string[]]>([
    ['has states within its state now', '?form=deeper', []],
    ['has its states side by side now', '?form=parallel', ['split']],
    ['has lost its invoked child', '?form=idle', ['call']],
    ['has gained an invoked child', '?form=busy', []],
    ['has gained a field, which a migration adds', '?form=grown&version=2&migrates=all', []],
  ])('in that it %s goes on with everything', async (_what, form, events) => {
    const memory = await left(...events);
    expect(await notesIn(await deploy(memory, form))).toEqual([1, 2]);
  });
});
