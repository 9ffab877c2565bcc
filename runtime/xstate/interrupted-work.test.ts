import {
  assign,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  spawnChild,
  type AnyActorLogic,
} from 'xstate';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { started, type Hosting } from './fixtures/hosting.ts';
import { dueAtOf } from './persisted-timer.ts';

/** What began, in order. */
let begun: string[] = [];
const waiting = fromPromise(() => {
  begun.push('waiting');
  return new Promise(() => {});
});
const listening = fromCallback(() => void begun.push('listening'));
const watching = fromObservable(() => {
  begun.push('watching');
  return { subscribe: () => ({ unsubscribe: () => {} }) };
});
const counting = fromTransition((n: number) => n + 1, 0);

const actors = { waiting, listening, watching, counting };
interface Work {
  readonly taken: number;
}

/** In `work` with the children, then in `failed`; notes the error that it took. */
function worker(...srcs: readonly (keyof typeof actors)[]) {
  return setup({ actors }).createMachine({
    context: { taken: 0 },
    initial: 'work',
    states: {
      work: {
        invoke: srcs.map((src) => ({
          src,
          id: src,
          onError: {
            target: 'failed',
            actions: assign({
              error: ({ event }) => event.error,
              taken: ({ context }) => (context as Work).taken + 1,
            }),
          },
        })),
        after: { 5000: 'late' },
      },
      failed: {},
      late: {},
    },
    on: { poke: { actions: assign({ taken: ({ context }) => (context as Work).taken + 10 }) } },
  });
}

/** The same instance after a crash. */
function afterCrash(logic: AnyActorLogic, { actor }: Hosting, invoked: 'restart' | 'fail'): Hosting {
  const { snapshot, timers } = structuredClone(actor.persist());
  actor.abandon();
  begun = [];
  return started(logic, { snapshot, timers, invoked });
}

const stateOf = ({ actor }: Hosting): { value: unknown; context: never; status: string; error: unknown } =>
  actor.ref.getSnapshot() as never;

beforeEach(() => {
  begun = [];
});

describe('work that was interrupted', () => {
  it.each(['waiting', 'listening', 'watching'] as const)('fails and does not begin anew: %s', (src) => {
    const logic = worker(src);
    const again = afterCrash(logic, started(logic), 'fail');
    expect(begun).toEqual([]);
    expect(stateOf(again)).toMatchObject({
      value: 'failed',
      context: { taken: 1, error: { code: 'INVOKE_INTERRUPTED' } },
    });
    expect(again.actor.hasWork).toBe(false);
    expect(dueAtOf(again.actor.persist())).toBeUndefined();
  });

  it.each(['waiting', 'listening', 'watching'] as const)('begins anew where that is wanted: %s', (src) => {
    const logic = worker(src);
    const again = afterCrash(logic, started(logic), 'restart');
    expect(begun).toEqual([src]);
    expect(stateOf(again).value).toBe('work');
    expect(again.actor.hasWork).toBe(true);
  });

  test('is told once to a parent that leaves its state with the first of several', () => {
    const logic = worker('waiting', 'listening', 'watching', 'counting');
    const again = afterCrash(logic, started(logic), 'fail');
    expect(begun).toEqual([]);
    expect(stateOf(again)).toMatchObject({ status: 'active', value: 'failed', context: { taken: 1 } });
  });

  test('at any depth is told to the actor that began it', () => {
    const inner = worker('waiting');
    const outer = setup({ actors: { inner } }).createMachine({
      invoke: { src: 'inner', id: 'inner' },
    });
    const again = afterCrash(outer, started(outer), 'fail');
    const child = again.actor.ref.getSnapshot().children['inner'];
    expect(begun).toEqual([]);
    expect(child?.getSnapshot()).toMatchObject({ value: 'failed' });
    expect(stateOf(again).status).toBe('active');
  });

  test('that nobody takes the error of fails who began it, as any error of a child does', () => {
    const logic = setup({ actors }).createMachine({ entry: spawnChild('waiting', { id: 'job' }) });
    const again = afterCrash(logic, started(logic), 'fail');
    expect(stateOf(again)).toMatchObject({ status: 'error', error: { code: 'INVOKE_INTERRUPTED' } });
    expect(again.told).toEqual([expect.objectContaining({ type: 'xstate.error.actor.one' })]);
  });

  test('is told before the events that were on their way', () => {
    const logic = worker('waiting');
    const first = started(logic);
    const { snapshot } = structuredClone(first.actor.persist());
    const event = { type: 'poke' };
    const timers = [{ from: [], to: [], event, delayMs: 0, dueAt: 0, leftMs: 0 }];
    const again = started(logic, { snapshot, timers, invoked: 'fail' });
    expect(stateOf(again)).toMatchObject({ value: 'failed', context: { taken: 1 } });
    again.actor.resume(10);
    expect(stateOf(again)).toMatchObject({ value: 'failed', context: { taken: 11 } });
  });

  test('frees its systemId', () => {
    const logic = setup({ actors }).createMachine({
      initial: 'work',
      states: {
        work: { invoke: { src: 'waiting', id: 'job', systemId: 'job', onError: 'again' } },
        again: { invoke: { src: 'waiting', id: 'other', systemId: 'job' } },
      },
    });
    const again = afterCrash(logic, started(logic), 'fail');
    expect(stateOf(again).value).toBe('again');
    expect(begun).toEqual(['waiting']);
  });

  test('that is the instance itself begins anew', () => {
    const again = afterCrash(waiting, started(waiting), 'fail');
    expect(stateOf(again).status).toBe('active');
    expect(begun).toEqual(['waiting']);
    expect(again.actor.hasWork).toBe(true);
  });

  test('of an instance that begins for the first time is none', () => {
    expect(stateOf(started(worker('waiting'), { invoked: 'fail' })).value).toBe('work');
  });
});

describe('what wakes an instance', () => {
  test('work at any depth', () => {
    const inner = worker('listening');
    const outer = setup({ actors: { inner, counting } }).createMachine({
      invoke: [{ src: 'counting' }, { src: 'inner', id: 'inner' }],
      on: { end: { actions: sendTo('inner', { type: 'xstate.error.actor.listening' }) } },
    });
    const { actor } = started(outer);
    expect(actor.hasWork).toBe(true);
    actor.deliver({ type: 'end' });
    expect(actor.hasWork).toBe(false);
  });

  test('the earliest timer', () => {
    const { actor, clock } = started(worker('counting'));
    expect(actor.hasWork).toBe(false);
    expect(dueAtOf(actor.persist())).toBe(clock.date() + 5000);
    expect(dueAtOf({ timers: [] })).toBeUndefined();
  });
});
