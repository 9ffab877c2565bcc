import {
  assign,
  fromCallback,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate';
import { describe, expect, it } from 'vitest';
import { started, type Hosting } from './fixtures/hosting.ts';
import { encodeActors } from './persisted-actors.ts';

class Box {
  readonly held: unknown;
  constructor(held: unknown) {
    this.held = held;
  }
}

interface Parented {
  readonly parent: AnyActorRef;
}

const heard = (by: string): AnyEventObject => ({ type: 'heard', by });
const callback = fromCallback<AnyEventObject, Parented>(({ input, receive }) => {
  receive(() => input.parent.send(heard('callback')));
});
const nested = fromCallback<AnyEventObject, { deep: Map<string, Set<{ list: AnyActorRef[] }>> }>(
  ({ input, receive }) => {
    receive(() => {
      for (const { list } of input.deep.get('all') ?? []) for (const ref of list) ref.send(heard('nested'));
    });
  },
);
const bare = fromCallback<AnyEventObject, AnyActorRef>(({ input, receive }) => {
  receive(() => input.send(heard('bare')));
});
const promise = fromPromise<void, Parented>(async ({ input, signal }) => {
  input.parent.send(heard('promise'));
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
});
const reducer = fromTransition<Parented, AnyEventObject, never, Parented>(
  (state, event) => {
    if (event.type === 'ping') state.parent.send(heard('reducer'));
    return state;
  },
  ({ input }) => input,
);
const inner = setup({ types: { context: {} as Parented, input: {} as Parented } }).createMachine({
  context: ({ input }) => input,
  on: { ping: { actions: sendTo(({ context }) => context.parent, heard('inner')) } },
});
const machine = setup({
  types: { context: {} as { boxed: Box; parent: AnyActorRef }, input: {} as Parented },
  actors: { inner },
}).createMachine({
  context: ({ input, spawn }) => {
    const own = spawn('inner', { id: 'inner', input });
    return { boxed: new Box(new Map([[own, own]])), parent: input.parent };
  },
  on: {
    ping: {
      actions: [
        sendTo(({ context }) => context.parent, heard('machine')),
        sendTo(
          ({ context }) =>
            (context.boxed.held as Map<AnyActorRef, AnyActorRef>).values().next().value as AnyActorRef,
          {
            type: 'ping',
          },
        ),
      ],
    },
  },
});

const actors = { callback, nested, bare, promise, reducer, machine };
const kids = ['callback', 'nested', 'bare', 'reducer', 'machine'];
const family = setup({ types: { context: {} as { heard: string[] } }, actors }).createMachine({
  context: { heard: [] },
  invoke: [
    ...(['callback', 'promise', 'reducer', 'machine'] as const).map((src) => ({
      id: src,
      src,
      input: ({ self }: { self: unknown }) => ({ parent: self as AnyActorRef }),
    })),
    { id: 'bare', src: 'bare', input: ({ self }) => self as AnyActorRef },
    {
      id: 'nested',
      src: 'nested',
      input: ({ self }) => ({ deep: new Map([['all', new Set([{ list: [self as AnyActorRef] }])]]) }),
    },
  ],
  on: {
    heard: { actions: assign({ heard: ({ context, event }) => [...context.heard, event['by'] as string] }) },
    ping: { actions: kids.map((id) => sendTo(id, { type: 'ping' })) },
    later: {
      actions: sendTo(
        ({ self }) => self,
        ({ self }) => ({ type: 'late', from: self }),
        { delay: 50 },
      ),
    },
    late: { actions: sendTo(({ event }) => event['from'] as AnyActorRef, heard('late')) },
  },
});

/** The same actor in another incarnation: what it persisted has crossed to another thread. */
function again(
  logic: AnyActorLogic,
  { actor }: Hosting,
  options: Parameters<typeof started>[1] = {},
): Hosting {
  const { snapshot, timers } = structuredClone(actor.persist());
  actor.stop();
  return started(logic, { snapshot, timers, ...options });
}

const contextOf = ({ actor }: Hosting): { heard: string[] } =>
  (actor.ref.getSnapshot() as unknown as { context: { heard: string[] } }).context;

describe('actors of the instance in what it persists', () => {
  it('are themselves again: in inputs, in states of other logic, in contexts, as deep as they stand', () => {
    const expected = ['bare', 'callback', 'inner', 'machine', 'nested', 'reducer'];
    let hosting = started(family);
    for (let round = 1; round <= 3; round++) {
      contextOf(hosting).heard.length = 0;
      hosting.actor.deliver({ type: 'ping' });
      expect(contextOf(hosting).heard.toSorted()).toEqual(expected);
      hosting = again(family, hosting, { id: `another-${round}` });
      // A promise begins anew, with its input.
      expect(contextOf(hosting).heard.at(-1)).toBe('promise');
    }
  });

  it('are persisted as XState has them in contexts, and can be cloned and be JSON', () => {
    const { actor } = started(family);
    const { snapshot } = actor.persist();
    expect(structuredClone(snapshot)).toEqual(snapshot);
    expect(snapshot).toMatchObject({
      children: {
        callback: { snapshot: { input: { parent: { xstate$$type: 1, id: 'one' } } } },
        reducer: { snapshot: { context: { parent: { xstate$$type: 1, id: 'one' } } } },
        bare: { snapshot: { input: { xstate$$type: 1, id: 'one' } } },
      },
    });
  });

  it('are in delayed events too', () => {
    const first = started(family);
    first.actor.deliver({ type: 'later' });
    const second = again(family, first);
    second.clock.pass(50);
    expect(contextOf(second).heard).toContain('late');
  });

  it('are left as they are found when they have ended, and as they are for XState in a context', () => {
    const dropping = setup({
      types: { context: {} as { kept: unknown } },
      actors: { callback, inner },
    }).createMachine({
      context: ({ spawn, self }) => ({
        kept: spawn('inner', { id: 'kid', input: { parent: self as never } }),
      }),
      on: {},
    });
    const { actor } = started(dropping);
    expect(actor.persist().snapshot).toMatchObject({ context: { kept: { xstate$$type: 1, id: 'kid' } } });
    const second = again(dropping, { actor } as Hosting);
    const { context, children } = second.actor.ref.getSnapshot() as unknown as {
      context: { kept: unknown };
      children: Record<string, unknown>;
    };
    expect(context.kept).toBe(children['kid']);
  });
});

describe('another agent in what an instance persists', () => {
  it('is a reference to it again, wherever it stands', () => {
    const sent: unknown[] = [];
    const agentAt = (address: string): AnyActorRef =>
      ({
        address,
        id: address,
        sessionId: address,
        getSnapshot: () => ({ status: 'active' }),
        send: (event: unknown) => sent.push([address, event]),
        _send: (event: unknown) => sent.push([address, event]),
      }) as unknown as AnyActorRef;
    const holding = setup({
      types: { context: {} as { peer: AnyActorRef; all: Map<string, AnyActorRef>; box: Box } },
    }).createMachine({
      context: () => ({
        peer: agentAt('risk/a'),
        all: new Map([['b', agentAt('risk/b')]]),
        box: new Box([agentAt('risk/c')]),
      }),
      on: {
        ping: {
          actions: [
            sendTo(({ context }) => context.peer, { type: 'ping' }),
            sendTo(({ context }) => context.all.get('b') as AnyActorRef, { type: 'ping' }),
            sendTo(({ context }) => (context.box.held as AnyActorRef[])[0] as AnyActorRef, { type: 'ping' }),
          ],
        },
      },
    });
    const second = again(holding, started(holding), { agentAt });
    second.actor.deliver({ type: 'ping' });
    expect(sent).toEqual(['a', 'b', 'c'].map((id) => [`risk/${id}`, { type: 'ping' }]));
  });
});

describe('encodeActors', () => {
  const ref = { sessionId: 'x', send() {}, getSnapshot() {} } as unknown as AnyActorRef;
  const mark = (): string => 'marked';

  it('gives the value itself when there is no actor in it', () => {
    const value: Record<string, unknown> = { list: [new Map([[1, new Set([new Date(0), new Box(1)])]])] };
    value['self'] = value;
    expect(encodeActors(value, mark)).toBe(value);
  });

  it('keeps cycles, what is shared, and every other value', () => {
    const shared = { ref };
    const value: Record<string, unknown> = {
      a: shared,
      b: shared,
      date: new Date(7),
      bytes: new Uint8Array(3),
      error: new RangeError('kept'),
      ['__proto__']: 1,
    };
    Object.defineProperty(value, '__proto__', { value: ref, enumerable: true });
    value['self'] = value;
    const copy = encodeActors(value, mark) as typeof value;
    expect(copy['a']).toEqual({ ref: 'marked' });
    expect(copy['b']).toBe(copy['a']);
    expect(copy['self']).toBe(copy);
    expect([copy['date'], copy['bytes'], copy['error']]).toEqual([
      value['date'],
      value['bytes'],
      value['error'],
    ]);
    expect(Object.entries(copy).find(([key]) => key === '__proto__')?.[1]).toBe('marked');
  });

  it('takes no longer for what is shared many times', () => {
    let layer: unknown = { ref };
    for (let depth = 0; depth < 60; depth++) layer = { left: layer, right: layer };
    expect(encodeActors(layer, mark)).not.toBe(layer);
  });
});
