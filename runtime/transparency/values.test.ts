import { expect, test } from 'vitest';
import { createActor, createMachine, waitFor, type AnyActorRef } from 'xstate';
import { agent, HoldfastError } from 'holdfast';
import { nextEvent, start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import type { errors, values } from './fixtures/logics.ts';
import type tree from './fixtures/tree.ts';

const agents = {
  values: agent<typeof values>(agentIn('logics', { export: 'values' })),
  errors: agent<typeof errors>(agentIn('logics', { export: 'errors' })),
  tree: agent<typeof tree>(agentIn('tree')),
};

const kept = {
  date: new Date(7),
  map: new Map<unknown, unknown>([
    ['a', 1],
    [{ key: 'object' }, new Set([1])],
  ]),
  set: new Set(['x', 'y']),
  bytes: new Uint8Array([1, 2, 3]),
  floats: new Float64Array([0.5, Number.NaN]),
  buffer: new Uint8Array([9]).buffer,
  view: new DataView(new Uint8Array([4, 5]).buffer),
  big: 2n ** 70n,
  pattern: /a+/giu,
  url: undefined,
  nothing: null,
  numbers: [Number.NaN, -0, Infinity],
  sparse: Object.assign([], { 2: 'c' }),
  nested: { deep: [{ date: new Date(8) }] },
};

test('dates, maps, sets, bytes, bigints and the like are the same in the thread, in a reply and in a snapshot', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('values');
  ref.send({ type: 'put', value: kept });
  expect(await ref.ask({ type: 'get' })).toEqual(kept);
  expect((await ref.snapshot()).context).toEqual(kept);
  const mirrored = await waitFor(ref, (state) => state.context !== undefined, deadline);
  expect(mirrored.context).toEqual(kept);
  expect((mirrored.context as typeof kept).numbers[1]).toBe(-0);
});

test('what is shared or goes in circles is so in the thread too', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('values');
  const shared = { n: 1 };
  const ring: Record<string, unknown> = { a: shared, b: shared };
  ring['self'] = ring;
  ref.send({ type: 'put', value: ring });
  const back = (await ref.ask({ type: 'get' })) as typeof ring;
  expect(back['self']).toBe(back);
  expect(back['a']).toBe(back['b']);
});

test('an instance of a class becomes a plain object: fields without methods', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('values');
  const { money } = (await ref.ask({ type: 'make' })) as { money: object };
  expect(money).toEqual({ amount: 3 });
  expect(Object.getPrototypeOf(money)).toBe(Object.prototype);
});

test.each([
  ['a function', () => {}],
  ['a symbol', Symbol('s')],
  ['a promise', Promise.resolve()],
  ['a weak map', new WeakMap()],
  ['a proxy', new Proxy({}, {})],
])('an event with %s is a dead letter, and those around it arrive', async (_what, value) => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('values');
  const letter = nextEvent((heard) => runtime.on('dead-letter', heard));
  ref.send({ type: 'put', value: 'before' });
  ref.send({ type: 'put', value: { value } });
  expect(await ref.ask({ type: 'get' })).toBe('before');
  expect(await letter).toMatchObject({ address: ref.address, reason: 'unclonable' });
});

test('an actor in an event is a dead letter that says so, whatever hangs on it', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('values');
  const [twin, local] = [await runtime.spawn('tree'), createActor(runtime.logic('tree')).start()];
  const large = createActor(createMachine({ context: { text: 'x'.repeat(2 ** 21) } })).start();
  for (const replyTo of [twin, local, ref, runtime.supervisor, large]) {
    const refused = ref.deliver({ type: 'put', replyTo } as never);
    const error = (await refused.catch((reason: unknown) => reason)) as HoldfastError;
    expect(error).toBeInstanceOf(HoldfastError);
    expect([error.code, error.message]).toEqual([
      'MESSAGE_UNCLONABLE',
      expect.stringMatching(/at replyTo: an actor cannot be cloned|without functions, actors or sockets/),
    ]);
    expect(runtime.deadLetters.list().at(-1)).toMatchObject({ reason: 'unclonable' });
  }
  local.stop();
});

test('the address of an actor crosses, and finds it again', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('values');
  const other = await runtime.spawn('tree', { id: 'b' });
  ref.send({ type: 'put', value: { replyTo: other.address } });
  const { replyTo } = (await ref.ask({ type: 'get' })) as { replyTo: string };
  expect(runtime.get(replyTo)).toBe(other);
});

test('an actor in the context is seen in the host as where it is', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree', { id: 'a' });
  ref.send({ type: 'keep' });
  const { context, children } = await ref.snapshot();
  const kept = (children as Record<string, AnyActorRef>)['kept'];
  expect(context.kept).toEqual({ xstate$$type: 1, id: 'kept', sessionId: kept?.sessionId });
  expect(kept?.sessionId).toMatch(/^tree\/a\/\d+$/);
});

test('an error in a context keeps its class, code, own fields and cause', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('errors');
  const { context } = await ref.snapshot();
  expect(context.error).toBeInstanceOf(RangeError);
  expect(context.error).toMatchObject({
    message: 'far',
    code: 'E_FAR',
    details: { by: 3n },
    cause: { message: 'root', code: 'E_ROOT' },
  });
  expect(context.list[1]).toMatchObject({ name: 'Refused', message: 'own class' });
  expect(context.map.get('e')).toMatchObject({ code: 'E_FAR' });
  expect(context.deep.holdfast).toBeInstanceOf(HoldfastError);
  const mirrored = await waitFor(ref, (state) => state.context !== undefined, deadline);
  expect(mirrored.context).toEqual(context);
  expect(mirrored.context.error).toMatchObject({ code: 'E_FAR' });
});
