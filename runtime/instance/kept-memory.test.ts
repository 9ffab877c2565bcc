import { queryObjects } from 'node:v8';
import { createRuntime, type AgentRef } from 'holdfast';
import { expect, it } from 'vitest';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { Waiting } from '../mailbox/waiting.ts';
import { IdInUse } from '../store/kept-id.ts';
import { memoryDurableStore } from '../store/memory-durable-store.ts';
import { Instance } from './instance.ts';

const NOON = Date.now() + 24 * 60 * 60 * 1000;
/** Those that are still reachable: it collects garbage. */
const count = (of: typeof Instance | typeof Waiting | typeof IdInUse): number =>
  queryObjects(of, { format: 'count' });
const soon = { timeout: 20_000, interval: 200 };

it('nothing is kept of calls with an id that a full mailbox refused', async () => {
  const gate = gatedStore();
  const runtime = await start(
    { agents: { diary: fixture('diary', { mailbox: { capacity: 2 } }) } },
    { store: gate.store },
  );
  const ref = await runtime.spawn('diary', { id: 'a' });
  gate.shut();
  const outcomes = Array.from({ length: 40 }, (_, n) =>
    ref[n % 2 === 0 ? 'ask' : 'deliver']({ type: 'note', n }, { id: `n${n}` }).then(
      () => 'done',
      (error: { code: string }) => error.code,
    ),
  );
  const [first] = await Promise.all(outcomes.slice(-1));
  expect(first).toBe('MAILBOX_FULL');
  gate.open();
  const codes = await Promise.all(outcomes);
  expect(codes.filter((code) => code === 'MAILBOX_FULL').length).toBeGreaterThan(30);
  await expect.poll(() => count(IdInUse), soon).toBe(0);
});

it('nothing is kept of events with an id when their instance ends before they are due', async () => {
  const runtime = await start({ agents: { diary: fixture('diary') } }, { store: memoryDurableStore() });
  await (async (): Promise<void> => {
    const ref = await runtime.spawn('diary', { id: 'a' });
    for (let n = 0; n < 10; n++) await ref.enqueue({ type: 'note', n }, { id: `n${n}`, at: NOON });
    await ref.stop();
  })();
  await expect.poll(() => count(IdInUse), soon).toBe(0);
  await expect.poll(() => count(Instance), soon).toBe(0);
});

it('an event with an id that is due later does not keep its passive instance in memory', async () => {
  const agents = { diary: fixture('diary', { passivateAfterMs: 1 }) };
  const runtime = await start({ agents }, { store: memoryDurableStore() });
  const passive = nextEvent<{ readonly state: string }>(
    (listener) => runtime.on('agent', listener),
    ({ state }) => state === 'passive',
  );
  await (async (): Promise<void> => {
    const ref: AgentRef = await runtime.spawn('diary', { id: 'a' });
    await ref.enqueue({ type: 'note', n: 1 }, { id: 'one', at: NOON });
  })();
  await passive;
  await expect.poll(() => count(Instance), soon).toBe(0);
});

it('nothing is kept of a runtime that has stopped', async () => {
  await (async (): Promise<void> => {
    const runtime = await createRuntime(
      { agents: { diary: fixture('diary') } },
      { store: memoryDurableStore(), logger: { debug() {}, info() {}, warn() {}, error() {} } },
    );
    const ref = await runtime.spawn('diary', { id: 'a' });
    await ref.ask({ type: 'note', n: 1 }, { id: 'one', timeoutMs: 3_600_000 });
    await runtime.stop();
  })();
  await expect.poll(() => count(Waiting), soon).toBe(0);
});
