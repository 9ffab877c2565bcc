import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from 'holdfast';
import type { TestRuntime } from 'holdfast/testing';
import { fixture, startTest } from '../fixtures/start.ts';
import { acts } from '../fixtures/stepping.ts';
import { decodeState } from '../wire/encoded-state.ts';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';
import { durableMemory, memoryDurableStore, type DurableMemory } from './memory-durable-store.ts';

const agents = { stepping: fixture('stepping') };
const { done, gates } = acts();
const numRuns = Math.min(300, Number(process.env['HOLDFAST_RUNS'] ?? 10));
const never = (): Promise<never> => new Promise(() => {});

beforeEach(() => {
  done.length = 0;
  gates.clear();
});

async function open(memory = durableMemory()): Promise<TestRuntime> {
  return startTest({ agents }, { store: memoryDurableStore(memory) });
}

/** What the last work of the instance has told: its key, and what its steps gave. */
async function told(runtime: TestRuntime, id = 'a'): Promise<unknown[]> {
  const ref = await runtime.getOrSpawn('stepping', id);
  await runtime.settled();
  return (await ref.ask({ type: 'told' })) as unknown[];
}

function keptIn(memory: DurableMemory): string[] {
  return [...memory.steps.values()].flatMap((steps) => [...steps.values()].map(({ key }) => key));
}

async function work(runtime: TestRuntime, event: object = {}, id = 'a'): Promise<void> {
  const ref = await runtime.getOrSpawn('stepping', id);
  await ref.deliver({ type: 'work', ...event });
  await runtime.settled();
}

describe('a step', () => {
  it('is not done again when the process has died after it, and the work goes on behind it', async () => {
    const memory = durableMemory();
    const runtime = await open(memory);
    gates.set('c', never);
    await work(runtime);
    expect(done).toEqual(['a', 'b', 'c']);
    expect(keptIn(memory)).toEqual(['a', 'b']);
    gates.clear();
    await runtime.restartProcess();
    expect(await told(runtime)).toEqual([expect.any(String), 'a done', 'b done', 'c done']);
    expect(done).toEqual(['a', 'b', 'c', 'c']);
    // What the work has kept goes with it.
    expect(keptIn(memory)).toEqual([]);
  });

  it('is not done again when only its thread has died', async () => {
    const runtime = await open();
    gates.set('b', never);
    await work(runtime);
    gates.clear();
    runtime.faults.killThread('stepping/a');
    await runtime.clock.advance(1000);
    expect((await told(runtime)).slice(1)).toEqual(['a done', 'b done', 'c done']);
    expect(done).toEqual(['a', 'b', 'b', 'c']);
  });

  it('is done when the state is committed in which its work was started, and resolves when it is committed', async () => {
    const runtime = await open();
    const ref = await runtime.spawn('stepping', { id: 'a' });
    runtime.faults.commit('before');
    ref.send({ type: 'work' });
    await runtime.settled();
    expect(done).toEqual([]);
    gates.set('a', () => void runtime.faults.commit('before'));
    await runtime.clock.advance(1000);
    expect(done).toEqual(['a']);
    await runtime.clock.advance(1000);
    expect(done).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['before', ['a', 'a', 'b', 'c']],
    ['within', ['a', 'a', 'b', 'c']],
    ['after', ['a', 'b', 'c']],
  ] as const)('is done at most once more when its process dies %s its commit', async (at, all) => {
    const runtime = await open();
    gates.set('a', () => void runtime.faults.commit(at, { kill: true }));
    await work(runtime).catch(() => {});
    gates.clear();
    expect(done).toEqual(['a']);
    await runtime.restartProcess();
    expect((await told(runtime)).slice(1)).toEqual(['a done', 'b done', 'c done']);
    expect(done).toEqual(all);
  });

  it.each(['before', 'within', 'after'] as const)('is done once when its commit fails %s', async (at) => {
    const runtime = await open();
    gates.set('a', () => void runtime.faults.commit(at));
    await work(runtime);
    expect(done).toEqual(['a']);
    await runtime.clock.advance(1000);
    expect((await told(runtime)).slice(1)).toEqual(['a done', 'b done', 'c done']);
    expect(done).toEqual(['a', 'b', 'c']);
  });

  it('is done once, and once more for each process that died before its commit, whatever fails in between', async () => {
    const fault = fc.record({
      at: fc.constantFrom('before', 'within', 'after'),
      of: fc.constantFrom('a', 'b', 'c'),
      kill: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 5 }), async (faults) => {
        done.length = 0;
        const runtime = await open();
        const again = new Map<string, number>();
        let killed = false;
        for (const name of ['a', 'b', 'c'])
          gates.set(name, () => {
            const next = faults.find(({ of }) => of === name);
            if (next === undefined) return;
            faults.splice(faults.indexOf(next), 1);
            runtime.faults.commit(next.at, { kill: next.kill });
            killed = next.kill;
            if (next.kill && next.at !== 'after') again.set(name, (again.get(name) ?? 0) + 1);
          });
        await work(runtime).catch(() => {});
        await runtime.clock.advance(10_000);
        while (killed) {
          killed = false;
          await runtime.restartProcess();
          await runtime.clock.advance(10_000);
        }
        expect((await told(runtime)).slice(1)).toEqual(['a done', 'b done', 'c done']);
        const expected = ['a', 'b', 'c'].flatMap((name) => Array(1 + (again.get(name) ?? 0)).fill(name));
        expect(done).toEqual(expected);
        await runtime.stop();
      }),
      { numRuns },
    );
  });

  it('gives a copy of what it returned, which structured clone can say, before a crash and after', async () => {
    const runtime = await open();
    const value = { at: new Date(5), map: new Map([['k', undefined]]), of: null };
    gates.set('a', () => value);
    gates.set('b', never);
    await work(runtime);
    gates.delete('b');
    await runtime.restartProcess();
    const [, given] = await told(runtime);
    expect(given).toEqual(value);
    gates.set('c', () => ({ ...value, own: Object.assign(Object.create({ inherited: 1 }), { n: 1 }) }));
    await work(runtime);
    expect((await told(runtime))[3]).toEqual({ ...value, own: { n: 1 } });
  });

  it('lasts as long as its work, and the same key of the next work is another step', async () => {
    const memory = durableMemory();
    const runtime = await open(memory);
    gates.set('b', never);
    await work(runtime);
    expect(keptIn(memory)).toEqual(['a']);
    await (await runtime.getOrSpawn('stepping', 'a')).deliver({ type: 'stop' });
    expect(keptIn(memory)).toEqual([]);
    await work(runtime);
    expect(done).toEqual(['a', 'b', 'a', 'b']);
    await (await runtime.getOrSpawn('stepping', 'a')).stop();
    expect(keptIn(memory)).toEqual([]);
  });

  it('hears by its signal that its work was stopped, and then keeps nothing', async () => {
    const memory = durableMemory();
    const runtime = await open(memory);
    let heard: AbortSignal | undefined;
    let go = (): void => {};
    gates.set('a', (signal) => {
      heard = signal;
      return new Promise<void>((resolve) => (go = resolve));
    });
    await work(runtime);
    await (await runtime.getOrSpawn('stepping', 'a')).deliver({ type: 'stop' });
    expect(heard).toMatchObject({ aborted: true, reason: { code: 'AGENT_STOPPED' } });
    go();
    await runtime.settled();
    expect([done, keptIn(memory)]).toEqual([['a'], []]);
  });

  it('throws what its function throws, and is done when it is tried again', async () => {
    const runtime = await open();
    gates.set('a', () => {
      throw new RangeError('too far');
    });
    await work(runtime);
    expect(await told(runtime)).toMatchObject([{ name: 'RangeError', message: 'too far' }]);
    gates.clear();
    await work(runtime);
    expect(done).toEqual(['a', 'a', 'b', 'c']);
  });

  it.each([
    ['cannot be cloned', () => ({ run: () => {} }), 'STEP_NOT_KEPT'],
    ['is a function of a list', () => [() => {}], 'STEP_NOT_KEPT'],
    ['has more than 1 MiB', () => 'x'.repeat(1024 * 1024), 'STEP_NOT_KEPT'],
    ['has more than 1 MiB of characters that are not ASCII', () => 'é'.repeat(600_000), 'STEP_NOT_KEPT'],
  ])('is refused with a value that %s', async (_, value, code) => {
    const memory = durableMemory();
    const runtime = await open(memory);
    gates.set('a', value);
    await work(runtime);
    expect(await told(runtime)).toMatchObject([{ name: 'HoldfastError', code }]);
    expect([done, keptIn(memory)]).toEqual([['a'], []]);
  });

  it.each([
    ['in text', (canary: string) => ({ key: canary })],
    ['in bytes', (canary: string) => ({ key: `ключ ${canary}`, at: new Date(0) })],
  ])('is refused with the value of a secret %s', async (_, value) => {
    const canary = 'CANARY-51d2-of-steps';
    const provider = createMemoryProvider();
    provider.set('prod/key', 'v1', canary);
    const memory = durableMemory();
    const secrets = { key: { ref: 'prod/key', mode: 'capability', capabilities: ['sign.hmac'] } } as const;
    const runtime = (await startTest(
      { externalSecrets: { provider: 'memory' }, agents: { stepping: fixture('stepping', { secrets }) } },
      { store: memoryDurableStore(memory), providers: [provider] },
    )) as unknown as TestRuntime;
    gates.set('a', () => value(canary));
    await work(runtime);
    const [error] = (await told(runtime)) as [HoldfastError];
    expect(error).toMatchObject({ code: 'SECRET_IN_SNAPSHOT' });
    expect(error.message).not.toContain(canary);
    expect(keptIn(memory)).toEqual([]);
  });

  it.each([
    ['an empty key', { names: [''] }, 'OPTION_INVALID'],
    ['a long key', { names: ['x'.repeat(257)] }, 'OPTION_INVALID'],
    ['half a character', { names: ['\ud800'] }, 'OPTION_INVALID'],
    ['a key that is no string', { names: [7] }, 'OPTION_INVALID'],
    ['a key that is in use', { names: ['a', 'b'], together: true, as: 'a' }, 'STEP_UNDER_WAY'],
  ])('is refused with %s', async (_, event, code) => {
    const runtime = await open();
    await work(runtime, event);
    expect(await told(runtime)).toMatchObject([{ name: 'HoldfastError', code }]);
  });

  it('may be done beside others, and gives what is kept to whoever asks again', async () => {
    const runtime = await open();
    await work(runtime, { names: ['a', 'b', 'c'], together: true });
    expect((await told(runtime)).slice(1)).toEqual(['a done', 'b done', 'c done']);
    await work(runtime, { names: ['a', 'a', 'b'] });
    expect((await told(runtime)).slice(1)).toEqual(['a done', 'a done', 'b done']);
    expect(done).toEqual(['a', 'b', 'c', 'a', 'b']);
  });

  it('is refused where no invoked work runs', async () => {
    const runtime = await open();
    await (await runtime.getOrSpawn('stepping', 'a')).deliver({ type: 'act' });
    expect(await told(runtime)).toMatchObject([{ code: 'NOT_INVOKED' }, { code: 'NOT_INVOKED' }]);
    // Nor in a turn that such work has caused.
    await work(runtime, { names: ['a'], act: true });
    expect(await told(runtime)).toMatchObject([{ code: 'NOT_INVOKED' }, { code: 'NOT_INVOKED' }]);
  });

  it('is refused also later, in what an event of such work has begun in another agent of its thread', async () => {
    const runtime = await startTest({ agents });
    await runtime.spawn('stepping', { id: 'b' });
    await work(runtime, { names: ['a'], other: 'stepping/b' });
    expect(await told(runtime, 'b')).toMatchObject([{ code: 'NOT_INVOKED' }, { code: 'NOT_INVOKED' }]);
    expect(done).toEqual(['a']);
  });

  it('is done by callbacks, what they do with an event included, and in the children of machines below', async () => {
    const memory = durableMemory();
    const runtime = await open(memory);
    const ref = await runtime.getOrSpawn('stepping', 'a');
    await ref.deliver({ type: 'below' });
    await ref.deliver({ type: 'ring' });
    await runtime.settled();
    expect(done).toEqual(['begun', 'rung']);
    expect(keptIn(memory).toSorted()).toEqual(['begun', 'rung']);
    await runtime.restartProcess();
    await (await runtime.getOrSpawn('stepping', 'a')).deliver({ type: 'ring' });
    await runtime.settled();
    expect(done).toEqual(['begun', 'rung']);
  });

  it('is not done again after a stop of the runtime, whatever the cleanup of its work sends', async () => {
    const runtime = await open();
    await (await runtime.getOrSpawn('stepping', 'a')).deliver({ type: 'below' });
    await runtime.settled();
    await runtime.stop();
    await runtime.restartProcess();
    await runtime.clock.advance(1000);
    expect(runtime.get('stepping/a')).toBeDefined();
    expect(done).toEqual(['begun']);
  });

  it('is done in a promise that is the agent itself', async () => {
    const runtime = await startTest(
      { agents: { errands: fixture('stepping', { export: 'errands' }) } },
      { store: memoryDurableStore() },
    );
    gates.set('b', never);
    await runtime.spawn('errands', { id: 'a', input: { names: ['a', 'b'] } });
    await runtime.settled();
    gates.clear();
    await runtime.restartProcess();
    await runtime.clock.advance(1000);
    expect(done).toEqual(['a', 'b', 'b']);
  });

  it('of work that a crash ends goes with it, and the work that is begun instead is another one', async () => {
    const memory = durableMemory();
    const failing = { stepping: fixture('stepping', { supervision: { invoked: 'fail' } }) };
    const runtime = (await startTest(
      { agents: failing },
      { store: memoryDurableStore(memory) },
    )) as unknown as TestRuntime;
    gates.set('b', never);
    await work(runtime);
    gates.clear();
    await runtime.restartProcess();
    expect(await told(runtime)).toMatchObject([{ code: 'INVOKE_INTERRUPTED' }]);
    expect(keptIn(memory)).toEqual([]);
    await work(runtime);
    expect(done).toEqual(['a', 'b', 'a', 'b', 'c']);
  });

  it('of an agent that is not durable is done each time, and nothing is kept', async () => {
    const memory = durableMemory();
    const runtime = (await startTest(
      { agents: { stepping: fixture('stepping', { durable: false }) } },
      { store: memoryDurableStore(memory) },
    )) as unknown as TestRuntime;
    gates.set('b', never);
    await work(runtime);
    gates.clear();
    await runtime.restartProcess();
    expect((await told(runtime)).slice(1)).toEqual(['a done', 'b done', 'c done']);
    expect([done, keptIn(memory)]).toEqual([['a', 'b', 'a', 'b', 'c'], []]);
  });
});

describe('an invocation', () => {
  it('has one key over crashes, in each of its steps, and no other has it', async () => {
    const runtime = await open();
    gates.set('b', never);
    await work(runtime, { keys: true });
    const { keys } = acts();
    gates.clear();
    await runtime.restartProcess();
    const [key] = await told(runtime);
    expect(new Set(keys)).toEqual(new Set([key]));
    await work(runtime);
    await work(runtime, {}, 'b');
    const all = new Set([key, (await told(runtime))[0], (await told(runtime, 'b'))[0]]);
    expect(all.size).toBe(3);
    for (const one of all) expect(one).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('that a crash takes back leaves its key to no other', async () => {
    const runtime = await open();
    const ref = await runtime.spawn('stepping', { id: 'a' });
    acts().keys.length = 0;
    runtime.faults.commit('before', { kill: true });
    ref.send({ type: 'work', keys: true });
    await runtime.settled();
    await runtime.restartProcess();
    await work(runtime, { keys: true });
    const { keys } = acts();
    expect(new Set(keys).size).toBe(2);
    expect(done).toEqual(['a', 'b', 'c']);
  });

  it('is in no state when nothing is under way', async () => {
    const memory = durableMemory();
    const runtime = await open(memory);
    const state = (): string => String(memory.records.get('stepping/a')?.state);
    await runtime.spawn('stepping', { id: 'a' });
    expect(state()).not.toContain('starts');
    gates.set('a', never);
    await work(runtime);
    expect(decodeState(state())).toMatchObject({ starts: [[['errands'], expect.any(String)]] });
    await (await runtime.getOrSpawn('stepping', 'a')).deliver({ type: 'stop' });
    expect(state()).not.toContain('starts');
  });
});
