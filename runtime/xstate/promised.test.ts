import { createActor, createMachine, fromPromise, type AnyActorLogic, type InspectionEvent } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { Ending } from '../base/ending.ts';
import { promised } from './promised.ts';

type Work = (input: unknown) => Promise<unknown>;

const logics: Record<string, (work: Work) => AnyActorLogic> = {
  fromPromise: (work) => fromPromise(({ input }) => work(input)),
  promised: (work) => promised(({ input }) => work(input)),
};

/** What is seen of an actor from outside, to its end. */
async function seenOf(logic: AnyActorLogic, stop: boolean): Promise<unknown[]> {
  const seen: unknown[] = [];
  const machine = createMachine({
    context: {},
    invoke: {
      id: 'work',
      src: logic,
      input: { n: 1 },
      onDone: { target: '.done', actions: ({ event }) => seen.push(event) },
      onError: { target: '.failed', actions: ({ event }) => seen.push(event) },
    },
    initial: 'working',
    states: { working: {}, done: {}, failed: {} },
  });
  const inspect = (event: InspectionEvent): void => {
    const of = 'event' in event ? event.event : undefined;
    const from = 'sourceRef' in event ? (event.sourceRef as { id?: string } | undefined)?.id : undefined;
    if (of !== undefined)
      seen.push([event.type, of, from, (event.actorRef as { id?: string }).id === 'work']);
  };
  const actor = createActor(machine, { id: 'root', inspect }).start();
  const { work } = actor.getSnapshot().children as Record<string, ReturnType<typeof createActor>>;
  seen.push(work?.getPersistedSnapshot(), actor.getPersistedSnapshot());
  if (stop) actor.stop();
  for (let n = 0; n < 20; n++) await Promise.resolve();
  seen.push(work?.getSnapshot(), work?.getPersistedSnapshot(), actor.getSnapshot().value);
  return JSON.parse(JSON.stringify(seen)) as unknown[];
}

describe('the logic of promises that is made for many', () => {
  test.each<[string, Work, boolean]>([
    ['work that goes well', async (input) => ({ input }), false],
    ['work that fails', async () => Promise.reject(new RangeError('no')), false],
    [
      'work that throws at once',
      () => {
        throw new RangeError('no');
      },
      false,
    ],
    ['work that is stopped', async () => 1, true],
  ])('shows what fromPromise shows: %s', async (_, work, stop) => {
    const [own, xstates] = [logics['promised'], logics['fromPromise']].map((logic) => logic?.(work));
    const throws = _.includes('throws');
    const plain = throws ? fromPromise(async () => Promise.reject(new RangeError('no'))) : xstates;
    expect(await seenOf(own as AnyActorLogic, stop)).toEqual(await seenOf(plain as AnyActorLogic, stop));
  });

  test('goes on from what was kept of it', async () => {
    const logic = promised<number, number>(async ({ input }) => input + 1);
    const kept = createActor(logic, { input: 1 }).getPersistedSnapshot();
    const actor = createActor(logic, { snapshot: kept, input: 5 }).start();
    for (let n = 0; n < 5; n++) await Promise.resolve();
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: 2 });
    let begun = 0;
    const over = promised(async () => (begun += 1));
    createActor(over, { snapshot: actor.getPersistedSnapshot() }).start();
    expect(begun).toBe(0);
  });

  test('ends its work when it is stopped, and not when that is over', async () => {
    const endings: Ending[] = [];
    const gate = Promise.withResolvers<void>();
    const logic = promised(async ({ ending }) => {
      endings.push(ending);
      if (endings.length === 1) await gate.promise;
    });
    const [running, over] = [createActor(logic).start(), createActor(logic).start()];
    for (let n = 0; n < 5; n++) await Promise.resolve();
    running.stop();
    over.stop();
    expect(endings.map(({ ended }) => ended)).toEqual([true, false]);
    expect(endings[0]?.reason).toMatchObject({ name: 'AbortError' });
    gate.resolve();
    for (let n = 0; n < 5; n++) await Promise.resolve();
    expect(running.getSnapshot().status).toBe('stopped');
  });
});
