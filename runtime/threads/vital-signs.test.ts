import { expect, test } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import { VitalSigns } from './vital-signs.ts';

function thread() {
  const looks: string[] = [];
  let now = 0;
  const vitals = new VitalSigns(
    {
      readLoad: () => () => (looks.push('load'), 0.25),
      heapUsed: async () => (looks.push('heap'), 1000 * looks.length),
    },
    { now: () => now },
  );
  return { vitals, looks, pass: (ms: number) => (now += ms) };
}

test('a thread is looked at when it begins, then only when somebody asks and the last look is a second ago', async () => {
  const { vitals, looks, pass } = thread();
  vitals.begin();
  await Promise.resolve();
  expect(vitals.look()).toEqual({ heapUsed: 1000 });
  pass(999);
  expect(vitals.look()).toEqual({ heapUsed: 1000 });
  expect(looks).toEqual(['heap']);
  pass(1);
  expect(vitals.look()).toEqual({ utilization: 0.25, heapUsed: 1000 });
  await Promise.resolve();
  expect(vitals.look()).toEqual({ utilization: 0.25, heapUsed: 3000 });
  expect(looks).toEqual(['heap', 'load', 'heap']);
});

test('what nobody can know of a thread is absent', () => {
  const vitals = new VitalSigns({}, { now: () => 0 });
  vitals.begin();
  expect(vitals.look()).toEqual({});
});

test('a heap that cannot be read is absent, and nothing fails', async () => {
  const vitals = new VitalSigns({ heapUsed: () => Promise.reject(new Error('gone')) }, { now: () => 0 });
  vitals.begin();
  await Promise.resolve();
  expect(vitals.look()).toEqual({});
});

test('the status tells how much heap a thread keeps', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  await runtime.spawn('counter', { id: 'a' });
  const heapUsed = (): number | undefined => runtime.status().pools[0]?.threads[0]?.heapUsed;
  await expect.poll(() => typeof heapUsed(), { timeout: 60_000 }).toBe('number');
  expect(heapUsed()).toBeGreaterThan(1_000_000);
});
