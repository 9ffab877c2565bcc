import type { AnyEventObject } from 'xstate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRuntime, type AgentRef, type Runtime } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { gatedStore } from '../fixtures/gated-store.ts';
import type { Act } from '../fixtures/mixing.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const supervision = {
  restart: 'permanent',
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
  intensity: { restarts: 100, withinMs: 1000 },
} as const;
const agents = {
  one: fixture('mixing', { threadId: 'one', supervision }),
  near: fixture('mixing', { threadId: 'one', supervision }),
  other: fixture('mixing', { threadId: 'other', supervision }),
  fresh: fixture('mixing', { threadId: 'other', supervision: { ...supervision, state: 'fresh' } }),
  small: fixture('mixing', { threadId: 'other', mailbox: { capacity: 2 } }),
  resting: fixture('mixing', { threadId: 'other', passivateAfterMs: 20 }),
  asker: fixture('talkers', { threadId: 'one', export: 'asker', supervision }),
  circle: fixture('talkers', { threadId: 'one', export: 'circle' }),
};

const heardBy = async (ref: AgentRef | undefined): Promise<unknown> => ref?.ask({ type: 'heard' });

/** Acts of these kinds, with the numbers from 1. */
const acts = (to: string, kinds: readonly Act['kind'][], more: Partial<Act> = {}): Act[] =>
  kinds.map((kind, i) => ({ kind, n: i + 1, to, ...more }));

const mix = (ref: AgentRef, all: readonly Act[], end?: 'throw'): Promise<unknown> =>
  ref.ask({ type: 'mix', acts: all, end });

const KINDS = ['send', 'ask', 'send', 'send', 'deliver', 'ask', 'send', 'ask'] as const;
const OUTCOMES = [undefined, 2, undefined, undefined, 'handled', 6, undefined, 8];
const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8];

describe('amendment 8: what a durable agent sends, asks and delivers', () => {
  let runtime: Runtime;
  let one: AgentRef;
  const spawn = (agent: string, id: string): Promise<AgentRef> => runtime.spawn(agent, { id });

  beforeAll(async () => {
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    runtime = await createRuntime({ agents }, { store: memoryDurableStore(), logger });
    one = await spawn('one', 'a');
  });
  afterAll(() => runtime.stop());

  it.each(['near', 'other', 'fresh'])(
    'comes to another (%s) in the order in which it was done',
    async (agent) => {
      const ref = await spawn(agent, 'order');
      expect(await mix(one, acts(ref.address, KINDS))).toEqual(OUTCOMES);
      expect(await heardBy(ref)).toEqual(NUMBERS);
    },
  );

  it('comes in that order to itself, to one that it starts, and to one that is passive', async () => {
    const self = await spawn('one', 'self');
    expect(await mix(self, acts(self.address, KINDS))).toEqual(OUTCOMES);
    expect(await heardBy(self)).toEqual(NUMBERS);
    expect(await mix(one, acts('other/new', KINDS, { activate: true }))).toEqual(OUTCOMES);
    expect(await heardBy(runtime.get('other/new'))).toEqual(NUMBERS);
    const { address } = await spawn('resting', 'a');
    await expect.poll(() => runtime.get(address)).toBeUndefined();
    expect(await mix(one, acts(address, KINDS))).toEqual(OUTCOMES);
    expect(await heardBy(await runtime.getOrSpawn('resting', 'a'))).toEqual(NUMBERS);
  });

  it('does not leave when its turn throws', async () => {
    const other = await spawn('other', 'throw');
    await expect(mix(one, acts(other.address, KINDS), 'throw')).rejects.toThrow('told to fail');
    expect(await mix(one, acts(other.address, ['ask']))).toEqual([1]);
    expect(await heardBy(other)).toEqual([1]);
  });

  it('is refused, when it is an ask behind what waits in the store: the mailbox is full', async () => {
    const small = await spawn('small', 'a');
    const kinds = [...Array.from({ length: 9 }, () => 'send' as const), 'ask' as const];
    expect(await mix(one, acts(small.address, kinds))).toContain('MAILBOX_FULL');
    await expect.poll(() => heardBy(small).catch(() => [])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it.each(['other/nobody', 'fresh/nobody', 'nothing/x'])('is told when nobody is there (%s)', async (to) => {
    const letter = nextEvent((listener) => runtime.on('dead-letter', listener));
    expect(await mix(one, acts(to, ['ask', 'deliver']))).toEqual(['AGENT_STOPPED', 'AGENT_STOPPED']);
    expect(await letter).toMatchObject({ address: to, reason: 'unknown-address', event: { n: 1 } });
    const activated = acts('nothing/x', ['ask', 'ask'], { activate: true });
    expect(await mix(one, activated)).toEqual(['AGENT_UNKNOWN', 'AGENT_UNKNOWN']);
  });

  it('waits for nothing but its answer, when agents ask each other, to a certain depth', async () => {
    const [a, b] = [await spawn('circle', 'a'), await spawn('circle', 'b')];
    const around = { type: 'round', self: a.address, other: b.address };
    expect(await a.ask(around)).toMatchObject({ code: 'ASK_TOO_DEEP' });
    const asker = await spawn('asker', 'a');
    const { address } = await spawn('asker', 'b');
    const back = { type: 'relay', to: asker.address, ask: { type: 'whence' } };
    expect(await asker.ask({ type: 'relay', to: address, ask: back })).toEqual({
      answer: { answer: address },
    });
  });

  it('has its deadline, its signal and the errors of its recipient', async () => {
    const [asker, other] = [await spawn('asker', 'waits'), await spawn('other', 'puts off')];
    const ask = (event: AnyEventObject, more: object = {}): Promise<unknown> =>
      asker.ask({ type: 'relay', to: other.address, ask: event, ...more });
    const later = (n: number): AnyEventObject => ({ type: 'note', n, later: true });
    expect(await ask(later(1), { timeoutMs: 20 })).toEqual({ failed: 'ASK_TIMEOUT' });
    expect(await ask(later(2), { abortMs: 20 })).toEqual({ failed: 'TimeoutError' });
    const put = ask(later(3));
    await expect.poll(() => heardBy(other)).toContain(3);
    other.send({ type: 'answer' });
    expect(await put).toEqual({ answer: 'late' });
    expect(await ask({ type: 'exit' })).toEqual({ failed: 'THREAD_CRASHED' });
    expect(await ask({ type: 'note', n: 4, ends: 'throw' })).toEqual({ failed: 'Error' });
    expect(await ask({ type: 'note', n: 5 })).toEqual({ answer: 5 });
  });

  it('is handled also when it has ended meanwhile, and the answer is for nobody', async () => {
    const [killed, other] = [await spawn('one', 'killed'), await spawn('other', 'asked')];
    killed.send({ type: 'mix', acts: acts(other.address, ['ask']) });
    await expect.poll(() => heardBy(other)).toEqual([1]);
    killed.send({ type: 'exit' });
    expect(await mix(killed, acts(other.address, KINDS))).toEqual(OUTCOMES);
    expect(await heardBy(other)).toEqual([1, ...NUMBERS]);
  });
});

it('amendment 8: an ask leaves when the turn is committed that did it, and not before', async () => {
  const gate = gatedStore();
  const runtime = await start({ agents }, { store: gate.store });
  const [one, other] = [await runtime.spawn('one', { id: 'a' }), await runtime.spawn('other', { id: 'b' })];
  gate.shut();
  const mixed = mix(one, acts(other.address, ['ask']));
  const { group, go } = await gate.next();
  expect(group.turns).toMatchObject([{ address: one.address, sends: [] }]);
  expect(runtime.status().instances.find(({ address }) => address === other.address)?.handled).toBe(0);
  gate.open();
  go();
  expect(await mixed).toEqual([1]);
});

it('amendment 8: asks come to one that is in the store and not in memory between what it is sent before and after', async () => {
  const memory = durableMemory();
  const first = await start({ agents }, { store: memoryDurableStore(memory) });
  await first.spawn('other', { id: 'b' });
  await first.stop();
  const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
  const one = await runtime.spawn('one', { id: 'a' });
  expect(await mix(one, acts('other/b', KINDS))).toEqual(OUTCOMES);
  expect(await heardBy(await runtime.getOrSpawn('other', 'b'))).toEqual(NUMBERS);
});

it('amendment 23: an ask for which nothing has changed waits for no commit', async () => {
  const gate = gatedStore();
  const runtime = await start({ agents }, { store: gate.store });
  const [asker, other] = [
    await runtime.spawn('asker', { id: 'a' }),
    await runtime.spawn('asker', { id: 'b' }),
  ];
  gate.shut();
  const asked = asker.ask({ type: 'relay', to: other.address, ask: { type: 'whence' } });
  expect(await asked).toEqual({ answer: asker.address });
  gate.open();
});
