import { expect, expectTypeOf, test } from 'vitest';
import { toPromise, waitFor } from 'xstate';
import { agent } from 'holdfast';
import type counter from '../fixtures/counter.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const counterAgent = agent<typeof counter>(fixture('counter'));

test('a spawned agent runs in a worker thread of its pool and knows where it is', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter', { id: 'a b/c' });
  expect(ref.address).toBe('counter/a%20b%2Fc');
  expect(ref).toMatchObject({ agent: 'counter', threadId: 'pool', incarnation: 1 });
  expect(ref.thread).toBeGreaterThan(0);
  expect(await ref.ask({ type: 'where' })).toEqual({
    address: 'counter/a%20b%2Fc',
    threadId: 'pool',
    thread: ref.thread,
    incarnation: 1,
  });
});

test('send, input and snapshot go through the thread', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter', { input: { start: 40 } });
  ref.send({ type: 'inc' });
  ref.send({ type: 'inc' });
  const snapshot = await ref.snapshot();
  expect(snapshot.context.n).toBe(42);
  expect(snapshot.value).toBe('counting');
  expect(snapshot.hasTag('busy')).toBe(true);
  expect(await ref.ask({ type: 'read' })).toBe(42);
});

test('nothing is mirrored until somebody watches, then the current state comes at once', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  await ref.deliver({ type: 'inc' });
  expect(ref.getSnapshot().context).toBeUndefined();
  const seen = await waitFor(ref, (state) => state.context?.n === 1, { timeout: 60_000 });
  expect(seen.matches('counting')).toBe(true);
  expect(ref.getSnapshot().context.n).toBe(1);
});

test('a mirror closes with its last observer', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  const first = ref.subscribe(() => {});
  await waitFor(ref, (state) => state.context?.n === 0);
  first.unsubscribe();
  await ref.deliver({ type: 'inc' });
  await ref.deliver({ type: 'inc' });
  expect(ref.getSnapshot().context.n).toBe(0);
});

test('mirrored states are coalesced by default and complete with mirror: all', async () => {
  const runtime = await start({
    agents: {
      latest: fixture('counter'),
      all: fixture('counter', { mirror: 'all' }),
    },
  });
  const counts: Record<string, number[]> = { latest: [], all: [] };
  for (const name of ['latest', 'all'] as const) {
    const ref = await runtime.spawn(name);
    ref.subscribe((state) => counts[name]?.push((state as { context: { n: number } }).context.n));
    await waitFor(ref, (state) => (state as { context?: { n: number } }).context?.n === 0);
    for (let i = 0; i < 200; i++) ref.send({ type: 'inc' });
    await ref.deliver({ type: 'inc' });
  }
  expect(counts['latest']?.at(-1)).toBe(201);
  // A thread that is slow has more slices than one for these.
  expect(counts['latest']?.length).toBeLessThan(201);
  // The first state may come twice: once as it is, once because a watch opened.
  expect([...new Set(counts['all'])]).toEqual(Array.from({ length: 202 }, (_, n) => n));
});

test('select and emitted events work as on a local actor', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  const selected: number[] = [];
  const selection = ref.select((state) => state.context?.n ?? -1);
  selection.subscribe((n) => selected.push(n));
  const hello = nextEvent<{ type: 'hello'; n: number }>((listener) => ref.on('hello', listener));
  await ref.deliver({ type: 'inc', by: 3 });
  ref.send({ type: 'greet' });
  expect(await hello).toEqual({ type: 'hello', n: 3 });
  await waitFor(ref, (state) => state.context?.n === 3);
  expect(selected.at(-1)).toBe(3);
});

test('a machine that is done gives its output, also when nobody watched', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter', { input: { start: 9 } });
  const output = toPromise(ref);
  ref.send({ type: 'finish' });
  expect(await output).toEqual({ total: 9 });
  expect(ref.getSnapshot()).toMatchObject({ status: 'done', output: { total: 9 }, context: { n: 9 } });
  expect(runtime.get(ref.address)).toBeUndefined();
});

test('an error keeps its class, message, stack, code and cause across the thread', async () => {
  const runtime = await start({
    agents: { counter: fixture('counter', { supervision: { restart: 'temporary' } }) },
  });
  const ref = await runtime.spawn('counter');
  const failed = toPromise(ref);
  ref.send({ type: 'fail' });
  const error = (await failed.catch((reason: unknown) => reason)) as RangeError & { code: string };
  expect(error).toBeInstanceOf(RangeError);
  expect(error).toMatchObject({ message: 'out of range', code: 'E_RANGE' });
  expect((error.cause as Error).message).toBe('root');
  expect(error.stack).toContain('counter.ts');
});

test('an ask that the agent does not answer is rejected at once', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  await expect(ref.ask({ type: 'inc' })).rejects.toMatchObject({ code: 'ASK_UNANSWERED' });
});

test('a reply that cannot be cloned is an error at its caller and disturbs no other', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  const answers = await Promise.allSettled([
    ref.ask({ type: 'read' }),
    ref.ask({ type: 'reply.unclonable' }),
    ref.ask({ type: 'read' }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(answers[1]).toMatchObject({ reason: { code: 'REPLY_UNCLONABLE' } });
});

test('an ask that fails its instance is rejected with what the instance failed with', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  await expect(ref.ask({ type: 'fail' })).rejects.toMatchObject({ code: 'E_RANGE' });
});

test('an ask ends with its deadline or its signal, and the next one is undisturbed', async () => {
  const runtime = await start({ agents: { busy: fixture('process'), counter: counterAgent } });
  const ref = await runtime.spawn('busy');
  ref.send({ type: 'spin', ms: 300 });
  await expect(ref.ask({ type: 'env' }, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  const abort = new AbortController();
  const aborted = ref.ask({ type: 'env' }, { signal: abort.signal });
  abort.abort(new Error('not needed any more'));
  await expect(aborted).rejects.toThrow('not needed any more');
  expect(await ref.ask({ type: 'env' })).toEqual({});
});

test('can asks the guards in the thread, and a mirrored snapshot says so', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  expect(await ref.can({ type: 'pause' })).toBe(false);
  ref.send({ type: 'inc' });
  expect(await ref.can({ type: 'pause' })).toBe(true);
  expect(() => ref.getSnapshot().can({ type: 'pause' })).toThrow(/ref\.can/);
});

test('can refuses what is no event that could be sent, and says so as send would', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  const unclonable = { type: 'inc', payload: () => {} } as const;
  await expect(ref.can(unclonable)).rejects.toMatchObject({
    name: 'HoldfastError',
    code: 'MESSAGE_UNCLONABLE',
  });
  expect(await ref.can({ type: 'inc' })).toBe(true);
});

test('what persist gives, a later spawn continues from', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter', { id: 'a', input: { start: 5 } });
  ref.send({ type: 'pause' });
  const envelope = await ref.persist();
  expect(envelope).toMatchObject({ v: 1, address: 'counter/a' });
  await ref.stop();
  const again = await runtime.spawn('counter', { id: 'a', snapshot: structuredClone(envelope) });
  const { value, context } = await again.snapshot();
  expect({ value, n: context.n }).toEqual({ value: 'paused', n: 5 });
});

test('types follow the machine: events, input, snapshots', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter');
  expectTypeOf(ref.send).parameter(0).extract<{ type: 'inc' }>().not.toBeNever();
  expectTypeOf((await ref.snapshot()).context.n).toEqualTypeOf<number>();
  // @ts-expect-error -- no such event
  ref.send({ type: 'nonsense' });
  // @ts-expect-error -- no such agent
  await expect(runtime.spawn('nobody')).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' });
});

/* oxlint-disable typescript/unbound-method -- that they are bound is what is tested */
test('methods of a reference work when they are taken off it, and in a copy of it', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const ref = await runtime.spawn('counter', { id: 'a' });
  const { address, ask, deliver, send, snapshot, stop, subscribe } = ref;
  await deliver({ type: 'inc' });
  send({ type: 'inc' });
  expect([address, await ask({ type: 'read' }), (await snapshot()).context.n]).toEqual(['counter/a', 2, 2]);
  expect(ref.ask).toBe(ask);
  const copy = { ...ref };
  expect(copy).toMatchObject({ address: 'counter/a', agent: 'counter', threadId: 'pool', incarnation: 1 });
  expect(await copy.ask({ type: 'read' })).toBe(2);
  const seen = new Promise((resolve) => subscribe(({ context }) => context && resolve(context.n)));
  expect(await seen).toBe(2);
  await stop();
  expect(runtime.get('counter/a')).toBeUndefined();
});
/* oxlint-enable typescript/unbound-method */

test('a method of a reference can be replaced by a double', async () => {
  const runtime = await start({ agents: { counter: counterAgent } });
  const [ref, other] = [await runtime.spawn('counter'), await runtime.spawn('counter')];
  ref.ask = () => Promise.resolve('double' as never);
  expect([await ref.ask({ type: 'read' }), await other.ask({ type: 'read' })]).toEqual(['double', 0]);
});
