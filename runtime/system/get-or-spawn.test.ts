import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createActor, createMachine } from 'xstate';
import type { AgentRef, HoldfastError, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

/** Told of an address: how many instances of it have begun, and how many there were at once at most. */
function countInstances(runtime: Awaited<ReturnType<typeof start>>) {
  const count = { begun: 0, live: 0, most: 0 };
  runtime.on('agent', ({ state, incarnation }: RuntimeEvents['agent']) => {
    if (state === 'running' && incarnation === 1) {
      count.begun += 1;
      count.live += 1;
      count.most = Math.max(count.most, count.live);
    } else if (state === 'ended') {
      count.live = Math.max(0, count.live - 1);
    }
  });
  return count;
}

test('any number of concurrent calls activate an address once, and later ones get the same instance', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const count = countInstances(runtime);
  const asked = Array.from({ length: 100 }, (_, start) =>
    runtime.getOrSpawn('counter', 'a', { input: { start } }),
  );
  const refs = await Promise.all(asked);
  expect(new Set(refs).size).toBe(1);
  expect(await runtime.getOrSpawn('counter', 'a')).toBe(refs[0]);
  expect(refs[0]).toBe(runtime.get('counter/a'));
  expect(count.begun).toBe(1);
  expect(await (refs[0] as AgentRef).ask({ type: 'read' })).toBe(0);
});

test('a spawn that is under way is shared, also one that is not its own', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const spawning = runtime.spawn('counter', { id: 'a' });
  const asked = runtime.getOrSpawn('counter', 'a');
  expect((await asked).thread).toBeGreaterThan(0);
  expect(await asked).toBe(await spawning);
});

test('a spawn meanwhile is refused, and the activation is not disturbed', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const asked = runtime.getOrSpawn('counter', 'a');
  await expect(runtime.spawn('counter', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
  expect((await asked).address).toBe('counter/a');
});

test('when the start fails all who asked get its error, and the next call tries again', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const unclonable = { input: { start: (() => 1) as unknown as number } };
  const asked = Array.from({ length: 10 }, () => runtime.getOrSpawn('counter', 'a', unclonable));
  const outcomes = await Promise.allSettled(asked);
  const errors = new Set(
    outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason as HoldfastError),
  );
  expect([...errors].map(({ code }) => code)).toEqual(['MESSAGE_UNCLONABLE']);
  const again = asked[0]?.catch(() => runtime.getOrSpawn('counter', 'a'));
  expect(await (await again)?.ask({ type: 'read' })).toBe(0);
});

test('an instance that is stopping is waited for, and then there is a new one', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const first = await runtime.spawn('process', { id: 'a' });
  await first.deliver({ type: 'note', n: 1 });
  first.send({ type: 'spin', ms: 100 });
  const stopping = first.stop();
  const asked = [runtime.getOrSpawn('process', 'a'), runtime.getOrSpawn('process', 'a')];
  const [second, same] = await Promise.all(asked);
  await stopping;
  expect(second).toBe(same);
  expect(second).not.toBe(first);
  expect((await second?.snapshot()) as unknown).toMatchObject({ context: { seen: [] } });
});

test('an instance that waits for its restart is returned as it is', async () => {
  const slow = { backoff: { minMs: 600_000, maxMs: 600_000, factor: 1, jitter: 0 } };
  const runtime = await start({ agents: { counter: fixture('counter', { supervision: slow }) } });
  const ref = await runtime.spawn('counter', { id: 'a' });
  const failed = nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    ({ state }) => state === 'restarting',
  );
  ref.send({ type: 'fail' });
  await failed;
  expect(await runtime.getOrSpawn('counter', 'a')).toBe(ref);
  expect(runtime.status().instances).toMatchObject([{ state: 'restarting' }]);
});

test('what a machine has made and not started is not given away', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const parent = createActor(createMachine({ invoke: { src: runtime.logic('counter') } }));
  await expect(runtime.getOrSpawn('counter', '1')).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
  parent.start();
  expect((await runtime.getOrSpawn('counter', '1')).address).toBe('counter/1');
  parent.stop();
});

test('a wrong call is refused, and leaves nothing behind', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const { getOrSpawn } = runtime as unknown as { getOrSpawn: (...args: unknown[]) => Promise<unknown> };
  await expect(getOrSpawn('countre', 'a')).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' });
  for (const id of [undefined, null, '', 7, '\ud800'])
    await expect(getOrSpawn('counter', id)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(runtime.status().instances).toEqual([]);
  await runtime.stop();
  await expect(getOrSpawn('counter', 'a')).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
});

test('no one who waits for the end of an instance outlives the runtime', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const ref = await runtime.spawn('process', { id: 'a' });
  ref.send({ type: 'spin', ms: 100 });
  void ref.stop();
  const asked = runtime.getOrSpawn('process', 'a');
  const outcome = Promise.allSettled([asked]);
  await runtime.stop();
  expect(await outcome).toMatchObject([{ status: 'rejected', reason: { code: 'RUNTIME_STOPPED' } }]);
});

type Step = 'get' | 'get and stop' | 'stop' | 'spawn' | 'finish' | 'turn' | 'settle';

const codeOf = (error: HoldfastError): string => error.code;

test('however calls and stops race, an address never has two instances, and each call gets a live one', async () => {
  const runtime = await start({ agents: { counter: fixture('counter', { maxThreads: 2 }) } });
  let id = 0;
  const step = fc.constantFrom<Step>(
    'get',
    'get',
    'get and stop',
    'stop',
    'spawn',
    'finish',
    'turn',
    'settle',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      id += 1;
      const name = String(id);
      const count = countInstances(runtime);
      const calls: Promise<AgentRef | string>[] = [];
      const get = (): Promise<AgentRef | string> => {
        const call = (runtime.getOrSpawn('counter', name) as Promise<AgentRef>).catch(codeOf);
        calls.push(call);
        return call;
      };
      const stop = async (ref: AgentRef | string | undefined): Promise<void> => {
        if (typeof ref === 'object') await ref.stop();
      };
      const others: Promise<unknown>[] = [];
      for (const step of steps) {
        const ref = runtime.get(`counter/${name}`);
        if (step === 'get') void get();
        else if (step === 'get and stop') others.push(get().then(stop));
        else if (step === 'stop') others.push(stop(ref));
        else if (step === 'spawn') others.push(runtime.spawn('counter', { id: name }).catch(codeOf));
        else if (step === 'finish') ref?.send({ type: 'finish' });
        else if (step === 'turn') await new Promise((resolve) => void setImmediate(resolve));
        else await Promise.all(calls);
      }
      await Promise.all(others);
      // Whoever stops an instance that is starting takes it from those who wait for it; nothing else goes wrong.
      const codes = (await Promise.all(calls)).filter((outcome) => typeof outcome === 'string');
      expect(codes).toEqual(codes.map(() => 'AGENT_STOPPED'));
      expect(count.most).toBeLessThanOrEqual(1);
      await stop(runtime.get(`counter/${name}`));
      const last = await runtime.getOrSpawn('counter', name);
      expect(await last.ask({ type: 'read' })).toBe(0);
      await last.stop();
    }),
    { numRuns: Number(process.env['HOLDFAST_RUNS'] ?? 60) },
  );
  expect(runtime.status().instances).toEqual([]);
});
