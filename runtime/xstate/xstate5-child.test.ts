import { createActor, setup, type AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import { keeping, seenBy, twinLike } from './fixtures/twin-like.ts';
import { createChild, emitFrom, sendToParent, stopActor, stopRoot } from './xstate5.ts';

describe('a child whose parent does not have to know it', () => {
  it('belongs to the parent’s system, is stopped by us, and then says nothing', () => {
    const told: string[] = [];
    const parent = createActor(
      setup({}).createMachine({ on: { '*': { actions: ({ event }) => told.push(event.type) } } }),
    ).start();
    const child = createChild(
      twinLike(() => {}),
      { id: 'kid', parent },
    );
    child.start();

    child.send({ type: 'a' });
    stopActor(child);

    expect(seenBy(child)).toEqual(['a']);
    expect(child.system).toBe(parent.system);
    expect([child.id, child.getSnapshot().status]).toEqual(['kid', 'stopped']);
    expect(parent.getSnapshot().children).toEqual({});
    expect(told).toEqual([]);
    parent.stop();
  });

  it('is left to its parent by what stops actors that have none', () => {
    const root = createActor(keeping).start();
    const child = createChild(keeping, { id: 'kid', parent: root }).start();
    stopRoot(child);
    expect(child.getSnapshot().status).toBe('active');

    stopRoot(root);
    expect(root.getSnapshot().status).toBe('active');
    expect(seenBy(root)).toEqual(['xstate.stop']);
    root.send({ type: 'late' });
    expect(seenBy(root)).toEqual(['xstate.stop']);
  });

  it('tells its parent when it is done', () => {
    const told: AnyEventObject[] = [];
    const parent = createActor(
      setup({}).createMachine({ on: { '*': { actions: ({ event }) => told.push(event) } } }),
    ).start();
    const child = createChild(
      twinLike(() => {}),
      { id: 'kid', parent },
    );
    child.start();

    child.send({ type: 'end' });

    expect(told).toMatchObject([{ type: 'xstate.done.actor.kid', output: 'over' }]);
    parent.stop();
  });

  it('sends to its parent as it would itself', () => {
    const told: AnyEventObject[] = [];
    const parent = createActor(
      setup({}).createMachine({ on: { '*': { actions: ({ event }) => told.push(event) } } }),
    ).start();
    const child = createChild(keeping, { id: 'kid', parent });
    const inspected: unknown[] = [];
    parent.system.inspect((event) => {
      if (event.type === '@xstate.event') inspected.push([event.sourceRef, event.event.type]);
    });

    sendToParent(child, { type: 'hello', n: 1 });

    expect(told).toEqual([{ type: 'hello', n: 1 }]);
    expect(inspected).toEqual([[child, 'hello']]);
    parent.stop();
  });
});

describe('emitFrom', () => {
  it('reaches those who listen for the type, and those who listen to everything', () => {
    const twin = createActor(keeping).start();
    const heard: unknown[] = [];
    twin.on('noted', (event) => heard.push(['noted', event]));
    twin.on('*', (event) => heard.push(['*', event]));
    twin.on('other', (event) => heard.push(['other', event]));

    emitFrom(twin, { type: 'noted', n: 1 });

    expect(heard).toEqual([
      ['noted', { type: 'noted', n: 1 }],
      ['*', { type: 'noted', n: 1 }],
    ]);
    twin.stop();
  });
});
