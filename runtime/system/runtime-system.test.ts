import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { lonelyAgent } from '../instance/fixtures/lone-instance.ts';
import { Instance } from '../instance/instance.ts';
import { Mailbox } from '../mailbox/mailbox.ts';
import { LoneThread, lonelyPool } from '../threads/fixtures/lone-thread.ts';
import type { ThreadSpec } from '../threads/os-thread.ts';
import { stepsOf } from '../fixtures/steps.ts';
import { Instances } from './instances.ts';
import { RuntimeSystem, type SystemOptions } from './runtime-system.ts';

/** A thread that ends when it is told to. */
class EndingThread extends LoneThread {
  override terminate(): void {
    super.terminate();
    queueMicrotask(() => this.exit(1));
  }
}

/** A system of two pools, whose threads run nothing. */
function rig(options: Partial<SystemOptions> = {}) {
  const threads = new Map<string, LoneThread[]>();
  const warned: string[] = [];
  const log = (): void => {};
  const system = new RuntimeSystem(
    {
      agents: [lonelyAgent(), lonelyAgent({ name: 'other', threadId: 'others' })],
      pools: [lonelyPool(), lonelyPool({ threadId: 'others', maxThreads: 2 })],
      providers: [],
    },
    {
      logger: { debug: log, info: log, warn: (_fields, message) => void warned.push(message), error: log },
      startThread(spec: ThreadSpec) {
        const thread = new EndingThread(spec);
        thread.answers.quiet = () => true;
        threads.set(spec.pool.threadId, [...(threads.get(spec.pool.threadId) ?? []), thread]);
        return thread;
      },
      ...options,
    },
  );
  onTestFinished(() => system.stop(0));
  const of = (pool: string): LoneThread[] => threads.get(pool) ?? [];
  return { system, of, warned };
}

describe('a system', () => {
  test('starts an instance on a thread of the pool of its agent, and no other thread', async () => {
    const { system, of } = rig();
    const ref = await system.spawn('agent', { id: 'a', input: 7 });
    expect(ref.address).toBe('agent/a');
    expect([of('pool').length, of('others').length]).toEqual([1, 0]);
    expect(of('pool')[0]?.called('activate')).toMatchObject([[{ address: 'agent/a', input: 7 }]]);
    expect(system.status()).toMatchObject({
      state: 'running',
      instances: [{ address: 'agent/a', state: 'running', incarnation: 1 }],
      pools: [
        { threadId: 'pool', threads: [{ state: 'ready' }] },
        { threadId: 'others', threads: [] },
      ],
    });
  });

  test('looks at no instance for its overview, nor for its figures', async () => {
    const { system } = rig();
    for (const id of 'abc') await system.spawn('agent', { id });
    const looks = [
      vi.spyOn(Instances.prototype, 'all'),
      vi.spyOn(Instance.prototype, 'phase', 'get'),
      vi.spyOn(Instance.prototype, 'handled', 'get'),
      vi.spyOn(Mailbox.prototype, 'depth', 'get'),
    ];
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    expect(system.overview()).toMatchObject({
      state: 'running',
      pools: [{ threads: [{ instances: 3 }] }, {}],
    });
    const { agents, ...rest } = system.figures();
    for (const look of looks) expect(look).not.toHaveBeenCalled();
    expect(agents).toMatchObject([{ agent: 'agent', states: { running: 3 }, mailbox: 0 }]);
    expect(rest).toEqual({ ...system.overview(), uptimeMs: rest.uptimeMs });
  });

  test('keeps the timers of its own actors by actor: those of others are not walked when one ends', async () => {
    const { system } = rig();
    const ref = await system.spawn('agent', { id: 'a' });
    // Its thread has nothing to do from now on, and is let go of after a time.
    await ref.stop();
    expect(system.supervisor.system.getSnapshot()._scheduledEvents).toEqual({});
  });

  test('refuses an agent that is not declared and an address that is taken, and names what there is', async () => {
    const { system } = rig();
    await expect(system.spawn('agnet', {})).rejects.toThrow(/"agnet".*"agent", "other"/);
    await system.spawn('agent', { id: 'a' });
    await expect(system.spawn('agent', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
    await expect(system.recycle('nowhere')).rejects.toThrow(/"nowhere".*"pool", "others"/);
  });

  test('gives all who ask for an address at once the one instance there', async () => {
    const { system, of } = rig();
    const spawn = () => system.spawn('agent', { id: 'a' });
    const refs = await Promise.all([1, 2, 3].map(() => system.getOrSpawn('agent', 'a', spawn)));
    expect(new Set(refs).size).toBe(1);
    expect(of('pool')[0]?.called('activate')).toHaveLength(1);
  });

  test('begins anew with those of a thread that has died, on another, and with no instance elsewhere', async () => {
    const { system, of } = rig();
    const [a] = [await system.spawn('agent', { id: 'a' }), await system.spawn('other', { id: 'b' })];
    const again = new Promise<void>((resolve) => {
      system.on('agent', ({ address, state }) => {
        if (address === 'agent/a' && state === 'running') resolve();
      });
    });
    of('pool')[0]?.exit(13);
    await again;
    expect([of('pool').length, of('others').length]).toEqual([2, 1]);
    expect(a.incarnation).toBe(2);
    expect(system.status()).toMatchObject({
      restarts: 1,
      instances: [
        { address: 'agent/a', state: 'running', incarnation: 2 },
        { address: 'other/b', state: 'running', incarnation: 1 },
      ],
    });
  });

  test('lets nothing in while it drains, and nobody waits for what never came', async () => {
    const { system } = rig();
    const ref = await system.spawn('agent', { id: 'a' });
    expect(await system.drain(1000)).toBe(true);
    expect(system.status().state).toBe('draining');
    await expect(system.spawn('agent', { id: 'b' })).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
    await expect(ref.ask({ type: 'late' })).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
    await expect(system.open('agent/a', 'ask', { type: 'late' }, { timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'RUNTIME_STOPPED',
    });
  });

  test('says of an event for nobody that its address is free, and tells who wants to know', async () => {
    const { system } = rig();
    let refused = 0;
    const asked = system.open(
      'agent/nobody',
      'ask',
      { type: 'hello' },
      {
        timeoutMs: 1000,
        refused: () => (refused += 1),
      },
    );
    await expect(asked).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    expect(refused).toBe(1);
  });

  test('stops the last instance first, ends each thread, and stops once', async () => {
    const flushed: string[] = [];
    const { system, of } = rig({ flush: async () => void flushed.push('flush') });
    for (const id of ['a', 'b']) await system.spawn('agent', { id });
    const thread = of('pool')[0];
    await Promise.all([system.stop(1000), system.stop(1000)]);
    expect(thread?.called('deactivate').map(([slots]) => slots)).toEqual([[1, 0]]);
    expect([thread?.terminated, flushed]).toEqual([true, ['flush']]);
    expect(system.status()).toMatchObject({
      state: 'stopped',
      instances: [],
      pools: [{ threads: [] }, { threads: [] }],
    });
    await expect(system.recycle(undefined)).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
  });
});

describe('however many instances there are, a system takes as many steps', () => {
  async function crowd(n: number) {
    const { system, of } = rig();
    for (let from = 0; from < n; from += 100)
      await Promise.all(Array.from({ length: 100 }, (_, i) => system.spawn('agent', { id: `${from + i}` })));
    const all = new Promise<void>((resolve) => {
      let restarting = 0;
      system.on('agent', ({ state }) => {
        if (state === 'restarting' && (restarting += 1) === n) resolve();
      });
    });
    const spawned = await stepsOf(() => system.spawn('agent', { id: 'one more' }));
    const sent = await stepsOf(() => system.get('agent/7')?.send({ type: 'inc' }));
    const stopped = await stepsOf(() => system.get('agent/one more')?.stop());
    const looked = await stepsOf(() => system.overview());
    const crashed = await stepsOf(() => {
      of('pool')[0]?.exit(13);
      return all;
    });
    return { spawned, sent, stopped, looked, crashed };
  }

  test('to spawn one, to send to it, to stop it and to look; and for a thread that dies, as many for each', async () => {
    const [few, many] = [await crowd(100), await crowd(1000)];
    const { crashed, ...one } = many;
    for (const [operation, steps] of Object.entries(one))
      expect([operation, steps < 1.1 * few[operation as keyof typeof one] + 10]).toEqual([operation, true]);
    expect(crashed / 1000).toBeLessThan((1.1 * few.crashed) / 100);
  });
});
