import { assign, createActor, fromTransition, setup, type AnyActorRef } from 'xstate';
import { describe, expect, it } from 'vitest';
import { started } from './fixtures/hosting.ts';
import { heedingContexts, withoutContexts } from './persist-context.ts';

const counting = fromTransition((n: number) => n + 1, 0);
const machine = setup({ actors: { counting } }).createMachine({
  context: {},
  on: {
    set: { actions: assign(({ event }) => (event as unknown as { context: object }).context) },
    make: {
      actions: assign(({ spawn }) => {
        const first = spawn('counting', { id: 'first' });
        const held = { ref: first, price: 5 };
        const part: Record<string, unknown> = { held, list: [held, { plain: true }], date: new Date(5) };
        part['self'] = part;
        return { part, again: part, plain: { n: 1 } };
      }),
    },
  },
});

type Made = {
  part: { held: { ref: AnyActorRef; price: number }; list: unknown[]; self: unknown; date: Date };
  again: unknown;
};

const persistedOf = (context: Record<string, unknown>): Record<string, unknown> => {
  const { actor } = started(machine);
  actor.deliver({ type: 'set', context });
  return (actor.persist().snapshot as { context: Record<string, unknown> }).context;
};

describe('a context is persisted', () => {
  it('in one look at each part, however many ways lead to it', () => {
    let layers: unknown = { end: new Date(5) };
    for (let layer = 0; layer < 200; layer++) layers = { a: layers, b: [layers] };
    expect(persistedOf({ layers })['layers']).toBe(layers);
  });

  it('with what leads back, and a chain that is longer than the stack', () => {
    const cycle: Record<string, unknown> = { n: 1 };
    cycle['list'] = [cycle];
    let chain: unknown = null;
    for (let n = 0; n < 100_000; n++) chain = { n, chain };
    const kept = persistedOf({ cycle, chain });
    expect([kept['cycle'], kept['chain']]).toEqual(
      [cycle, chain].map((part) => expect.toSatisfy((of) => of === part) as unknown),
    );
  });

  it('with actors by their ids wherever they stand, also where parts lead back, and goes on with them', () => {
    const { actor } = started(machine);
    actor.deliver({ type: 'make' });
    const state = structuredClone(actor.persist());
    const { part, again } = (state.snapshot as { context: Made }).context;
    expect(part.held).toEqual({ ref: { xstate$$type: 1, id: 'first' }, price: 5 });
    expect([again, part.self, part.list[0]]).toEqual([part, part, part.held]);
    expect([again === part, part.self === part, part.list[0] === part.held]).toEqual([true, true, true]);
    expect(part.date).toEqual(new Date(5));

    const restored = started(machine, { snapshot: state.snapshot }).actor.ref.getSnapshot() as unknown as {
      context: Made;
      children: Record<string, AnyActorRef>;
    };
    expect(restored.context.part.held.ref).toBe(restored.children['first']);
    expect(restored.context.again).toBe(restored.context.part);
  });

  it('of children as well, and of a machine that sets its own bound', () => {
    const inner = setup({}).createMachine({
      context: { self: undefined },
      entry: assign(() => {
        const loop: Record<string, unknown> = {};
        loop['self'] = loop;
        return { self: loop };
      }),
    });
    const outer = setup({ actors: { inner } }).createMachine({ invoke: { src: 'inner', id: 'inner' } });
    outer.options = { ...outer.options, maxIterations: 50 };
    const { actor } = started(outer);
    const { children } = actor.persist().snapshot as {
      children: { inner: { snapshot: { context: { self: { self: unknown } } } } };
    };
    const { self } = children.inner.snapshot.context;
    expect(self.self).toBe(self);
  });

  it('by XState itself, as ever, whenever nobody asks for it without', () => {
    const there = createActor(heedingContexts(machine.provide({}))).start();
    there.send({ type: 'set', context: { n: 1 } });
    const plainly = there.getPersistedSnapshot();
    expect(plainly).toMatchObject({ context: { n: 1 } });
    expect(withoutContexts(() => there.getPersistedSnapshot())).toEqual({ ...plainly, context: {} });
    expect(there.getPersistedSnapshot()).toEqual(plainly);
  });
});
