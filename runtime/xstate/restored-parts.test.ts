import { fromPromise, fromTransition, setup, type AnyActorLogic } from 'xstate';
import { describe, expect, it } from 'vitest';
import { started } from './fixtures/hosting.ts';
import { notRestored } from './restored-parts.ts';

const idle = fromTransition((n: number) => n, 0);
const quick = fromPromise(async () => 1);

/** What is said not to run of `now` when it goes on from what `before` persisted. */
function missed(before: AnyActorLogic, now: AnyActorLogic): string[] {
  const snapshot = structuredClone(started(before).actor.persist().snapshot);
  return notRestored(started(now, { snapshot }).actor.ref, snapshot);
}

const plain = setup({ actors: { idle } }).createMachine({
  id: 'm',
  type: 'parallel',
  states: {
    a: { initial: 'on', states: { on: { invoke: { id: 'kid', src: 'idle' } }, off: {} } },
  },
});

describe('what of a restored machine does not run', () => {
  it('is nothing when the machine is the same, whatever has become of its children', () => {
    const done = setup({ actors: { quick, idle } }).createMachine({
      initial: 'on',
      states: { on: { invoke: [{ src: 'quick' }, { id: 'kid', src: 'idle' }] } },
    });
    for (const logic of [plain, done, idle, quick]) expect(missed(logic, logic)).toEqual([]);
  });

  it('is a child whose logic has another name now', () => {
    const renamed = setup({ actors: { sleeper: idle } }).createMachine({
      id: 'm',
      type: 'parallel',
      states: { a: { initial: 'on', states: { on: { invoke: { id: 'kid', src: 'sleeper' } }, off: {} } } },
    });
    expect(missed(plain, renamed)).toEqual(['the child "kid": there is no logic "idle"']);
  });

  it('is a region that is new, and an invoke that is', () => {
    const grown = setup({ actors: { idle } }).createMachine({
      id: 'm',
      type: 'parallel',
      states: {
        a: {
          initial: 'on',
          invoke: { id: 'more', src: 'idle' },
          states: { on: { invoke: { id: 'kid', src: 'idle' } }, off: { invoke: { src: 'idle' } } },
        },
        b: { invoke: { id: 'other', src: 'idle' } },
      },
    });
    expect(missed(plain, grown)).toEqual(['the invoke "more" in "m.a"', 'the region "b" of "m"']);
  });

  it('is named with the child that it belongs to', () => {
    const parent = (inner: AnyActorLogic): AnyActorLogic =>
      setup({ actors: { inner } }).createMachine({ invoke: { id: 'inner', src: 'inner' } });
    const renamed = setup({ actors: {} }).createMachine({
      id: 'm',
      type: 'parallel',
      states: { a: { initial: 'on', states: { on: {}, off: {} } } },
    });
    expect(missed(parent(plain), parent(renamed))).toEqual([
      'the child "kid" of its child "inner": there is no logic "idle"',
    ]);
  });
});
