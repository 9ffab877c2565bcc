import fc from 'fast-check';
import {
  createActor,
  createMachine,
  fromCallback,
  fromPromise,
  fromTransition,
  setup,
  spawnChild,
  assign,
  type AnyActorRef,
} from 'xstate';
import { describe, expect, it } from 'vitest';
import { isClonable } from './errors.ts';
import { encodeSnapshot, toClonable, type WireSnapshot } from './snapshot.ts';

/** What `encodeSnapshot` takes; XState types snapshots more narrowly than they are. */
function encode(snapshot: unknown): WireSnapshot {
  return encodeSnapshot(snapshot as Parameters<typeof encodeSnapshot>[0]);
}

function clonableContext(context: unknown): unknown {
  const wire = toClonable({ status: 'active', context });
  expect(wire.incomplete).toBe(true);
  return structuredClone(wire).context;
}

const idle = fromCallback(() => {});

describe('a machine’s snapshot', () => {
  const machine = setup({ actors: { idle } }).createMachine({
    id: 'm',
    context: { count: 2, at: new Date(9) },
    tags: ['outer'],
    invoke: { id: 'helper', src: 'idle' },
    initial: 'on',
    states: { on: { tags: ['lit'], initial: 'bright', states: { bright: {}, dim: {} } } },
  });

  it('crosses with value, context, tags and children, though it can never be cloned whole', () => {
    const actor = createActor(machine).start();
    const snapshot = actor.getSnapshot();
    expect(isClonable(snapshot)).toBe(false);

    const wire = structuredClone(encode(snapshot));

    expect(wire).toEqual({
      status: 'active',
      value: { on: 'bright' },
      context: { count: 2, at: new Date(9) },
      tags: ['outer', 'lit'],
      children: {
        helper: {
          id: 'helper',
          sessionId: (actor.getSnapshot().children['helper'] as AnyActorRef).sessionId,
          src: 'idle',
          status: 'active',
        },
      },
    });
    actor.stop();
  });

  it('leaves out the source of a child that was spawned from logic and not by name', () => {
    const actor = createActor(createMachine({ entry: spawnChild(idle, { id: 'child' }) })).start();

    const { children } = structuredClone(encode(actor.getSnapshot()));

    expect(children?.['child']).toMatchObject({ id: 'child', status: 'active' });
    expect(children?.['child']).not.toHaveProperty('src');
    actor.stop();
  });

  it('tells how a child ended', async () => {
    const failing = setup({ actors: { fail: fromPromise(() => Promise.reject(new Error('x'))) } });
    const machine = failing.createMachine({
      invoke: { id: 'job', src: 'fail', onError: { target: '.failed' } },
      initial: 'waiting',
      states: { waiting: {}, failed: {} },
    });
    const actor = createActor(machine).start();
    await new Promise<void>((resolve) => {
      actor.subscribe((snapshot) => {
        if (snapshot.matches('failed')) resolve();
      });
    });

    expect(encode(actor.getSnapshot()).children).toMatchObject({ job: { status: 'error' } });
    actor.stop();
  });
});

describe('the end of an actor', () => {
  it('crosses with its output', () => {
    const machine = setup({}).createMachine({
      context: { sum: 7 },
      initial: 'end',
      states: { end: { type: 'final' } },
      output: ({ context }) => ({ total: (context as { sum: number }).sum }),
    });

    expect(structuredClone(encode(createActor(machine).start().getSnapshot()))).toMatchObject({
      status: 'done',
      value: 'end',
      output: { total: 7 },
    });
  });

  it('crosses with its error, class and code included', () => {
    const logic = fromTransition(() => {
      throw Object.assign(new RangeError('too far'), { code: 'E_FAR' });
    }, {});
    const actor = createActor(logic).start();
    actor.subscribe({ error: () => {} });
    actor.send({ type: 'go' });

    expect(structuredClone(encode(actor.getSnapshot()))).toMatchObject({
      status: 'error',
      error: { name: 'RangeError', message: 'too far', props: { code: 'E_FAR' } },
    });
  });

  it('says nothing of what logic without states does not have', () => {
    const actor = createActor(fromTransition((count: number) => count + 1, 1)).start();

    expect(encode(actor.getSnapshot())).toEqual({ status: 'active', context: 1 });
  });
});

describe('a snapshot that cannot be cloned', () => {
  it('has functions, symbols and sockets replaced and everything else kept', () => {
    class Socket {
      readonly #handle = () => {};
      readonly send = this.#handle;
    }

    expect(
      clonableContext({
        count: 1,
        run: () => {},
        mark: Symbol('x'),
        socket: new Socket(),
        nested: { list: [1, () => {}, 'two'], when: new Date(3), map: new Map([['a', 1]]) },
      }),
    ).toEqual({
      count: 1,
      socket: '[Socket]',
      nested: { list: [1, undefined, 'two'], when: new Date(3), map: new Map([['a', 1]]) },
    });
  });

  it('names the actors in its context by where they are', () => {
    const machine = setup({ actors: { idle } }).createMachine({
      context: ({ spawn }) => ({ helper: spawn('idle', { id: 'helper' }) }),
    });
    const actor = createActor(machine).start();
    const { helper } = actor.getSnapshot().context as { helper: AnyActorRef };

    expect(clonableContext(actor.getSnapshot().context)).toEqual({
      helper: { xstate$$type: 1, id: 'helper', sessionId: helper.sessionId },
    });
    actor.stop();
  });

  it('keeps cycles and shared parts as they are', () => {
    const shared = { run: () => {}, n: 1 };
    const context: Record<string, unknown> = { a: shared, b: shared, list: [shared] };
    context['self'] = context;
    const ring: unknown[] = [() => {}];
    ring.push(ring);
    context['ring'] = ring;

    const back = clonableContext(context) as Record<'a' | 'b' | 'self', object> & {
      list: object[];
      ring: unknown[];
    };

    expect(back.self).toBe(back);
    expect(back.ring[1]).toBe(back.ring);
    expect(back.a).toEqual({ n: 1 });
    expect(back.b).toBe(back.a);
    expect(back.list[0]).toBe(back.a);
  });

  it('cleans the output in the same way', () => {
    const wire = toClonable({ status: 'done', output: { total: 3, close: () => {} } });

    expect(structuredClone(wire)).toEqual({ status: 'done', output: { total: 3 }, incomplete: true });
  });

  it('survives a context that throws when it is read, and one that is clonable only now and then', () => {
    let reads = 0;
    class Moody {
      get x(): unknown {
        return 1;
      }
    }
    const moody = Object.defineProperty(new Moody(), 'y', {
      enumerable: true,
      get: () => (reads++ % 2 === 0 ? 1 : () => {}),
    });
    const throwing = Object.defineProperty({ good: 1, run: () => {} }, 'bad', {
      enumerable: true,
      get() {
        throw new Error('read me not');
      },
    });

    expect(isClonable(clonableContext({ moody, run: () => {} }))).toBe(true);
    expect(clonableContext({ throwing })).toEqual({ throwing: { good: 1 } });
  });

  it('keeps a field named __proto__ a field', () => {
    const context = JSON.parse('{"__proto__": {"polluted": 1}, "n": 1}') as Record<string, unknown>;
    context['run'] = () => {};

    const back = clonableContext(context) as Record<string, unknown>;

    expect(back['polluted']).toBeUndefined();
    expect(Object.keys(back)).toEqual(['__proto__', 'n']);
  });

  it('is clonable whatever was in it', () => {
    class Instance {
      value: unknown;
      constructor(value: unknown) {
        this.value = value;
      }
    }
    const unclonable = fc.constantFrom<unknown>(
      () => {},
      Symbol('s'),
      new Instance(() => {}),
      new WeakMap(),
      Promise.resolve(),
      createActor(idle),
      new Map([['f', () => {}]]),
      new Set([Symbol('in a set')]),
      new Proxy({}, { ownKeys: () => ['a'], getOwnPropertyDescriptor: () => undefined }),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'medium' },
        unclonable,
        fc.anything({ withMap: true, withSet: true, withDate: true, withTypedArray: true }),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('tree'), { maxKeys: 4 }),
        tie('tree').map((value) => new Instance(value)),
      ),
    }));

    fc.assert(
      fc.property(tree, tree, (context, output) => {
        const wire = toClonable({ status: 'done', context, output });
        expect(() => structuredClone(wire)).not.toThrow();
        expect(structuredClone(wire).incomplete).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves alone what was clonable all along', () => {
    const clonable = fc.anything({ withMap: true, withSet: true, withDate: true, withBigInt: true });

    fc.assert(
      fc.property(clonable, (value) => {
        fc.pre(value !== undefined && isClonable(value));
        expect(clonableContext({ value, run: () => {} })).toEqual(structuredClone({ value }));
      }),
    );
  });
});

describe('assigning in a machine', () => {
  it('does not reach into a snapshot that was taken before', () => {
    const machine = setup({ types: { context: {} as { n: number } } }).createMachine({
      context: { n: 1 },
      on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    });
    const actor = createActor(machine).start();
    const before = encode(actor.getSnapshot());

    actor.send({ type: 'add' });

    expect(before.context).toEqual({ n: 1 });
    expect(encode(actor.getSnapshot()).context).toEqual({ n: 2 });
    actor.stop();
  });
});
