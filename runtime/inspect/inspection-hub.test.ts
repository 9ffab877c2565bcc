import { expect, test } from 'vitest';
import { manualClock } from '../instance/fixtures/lone-instance.ts';
import { stepsOf } from '../fixtures/steps.ts';
import { INSPECT_VERSION, isInspection, ROOT_ID, type InspectionEvent } from '../wire/inspection.ts';
import { InspectionHub } from './inspection-hub.ts';

/** A hub to which one thread has shown `n` instances, each with a child that has one. */
function rig(n: number, most?: number) {
  const told: InspectionEvent[] = [];
  const hub = new InspectionHub({
    clock: manualClock(),
    scrub: (value) => value,
    warn: () => {},
    addressOf: () => undefined,
    poolActor: (threadId) => `pool:${threadId}`,
    poolOf: () => 'p',
    ...(most !== undefined && { most }),
  });
  const actor = (sessionId: string, parentId?: string): InspectionEvent => ({
    type: '@xstate.actor',
    rootId: ROOT_ID,
    sessionId,
    createdAt: '0',
    id: sessionId,
    _version: INSPECT_VERSION,
    name: sessionId,
    definition: undefined,
    parentId,
    snapshot: { status: 'active', output: undefined, error: undefined },
  });
  let isShown = true;
  for (let i = 0; i < n; i += 1) {
    const address = `a/${i}`;
    const all = [actor(address), actor(`${address}/1`, address), actor(`${address}/1/2`, `${address}/1`)];
    isShown &&= hub.fromThread({ threadId: 'p', n: 1, name: 'holdfast:p:1' }, all, 0);
  }
  expect(isShown).toBe(true);
  hub.listen((events) => told.push(...events.filter(isInspection)));
  /** The instance at the address is in this state now. */
  const enter = (sessionId: string, value: unknown, at: number): void => {
    const snapshot = { status: 'active', value } as never;
    const base = { rootId: ROOT_ID, sessionId, createdAt: String(at), id: `${sessionId} ${at}` };
    const event = {
      ...base,
      type: '@xstate.snapshot',
      _version: INSPECT_VERSION,
      event: { type: 'e' },
      snapshot,
    };
    hub.fromThread({ threadId: 'p', n: 1, name: 'holdfast:p:1' }, [event], 0);
  };
  const ids = (): (string | undefined)[] => told.splice(0).map(({ sessionId }) => sessionId);
  return { hub, ids, enter };
}

test('an instance that ends takes along what is below it, children first, and nobody else', () => {
  const { hub, ids } = rig(20);
  hub.ended('a/1');
  expect(ids()).toEqual(['a/1/1/2', 'a/1/1', 'a/1']);
  hub.ended('a/1');
  hub.ended('a/never');
  expect(ids()).toEqual([]);
  expect(hub.replay()).toHaveLength(3 * 19);
});

test('the actors of the others are not looked at for that, however many they are', async () => {
  const stepsWith = (n: number): Promise<number> => {
    const { hub } = rig(n);
    return stepsOf(() => hub.ended('a/7'));
  };
  expect(await stepsWith(10_000)).toBe(await stepsWith(1000));
});

test('since when an actor is in its state is known, also to one who comes later, however often it was told of it', () => {
  const { hub, enter } = rig(2);
  const known = (): unknown => {
    const { isInstance, state, since } = [...hub.actors()].find(({ id }) => id === 'a/1') ?? {};
    return [isInstance, state?.value, since];
  };
  enter('a/1', { busy: 'model' }, 5);
  enter('a/1', { busy: 'model' }, 7);
  expect(known()).toEqual([true, { busy: 'model' }, 5]);
  enter('a/1', { busy: 'tool' }, 9);
  expect(known()).toEqual([true, { busy: 'tool' }, 9]);
  expect([...hub.actors()].filter(({ isInstance }) => isInstance)).toHaveLength(2);
  hub.ended('a/1');
  expect(known()).toEqual([undefined, undefined, undefined]);
});

test('actors for which there is no room are counted, and no others take their place', () => {
  const { hub } = rig(3, 4);
  expect(Array.from(hub.actors(), ({ id }) => id)).toEqual(['a/0', 'a/0/1', 'a/0/1/2', 'a/1']);
  expect(hub.unknown).toBe(5);
  expect([hub.actor('a/1'), hub.actor('a/2')]).toMatchObject([
    { id: 'a/1', parentId: expect.any(String) },
    undefined,
  ]);
});

test('a thread that shows more than the host has time for waits as long as that took, beyond its share', async () => {
  let [now, cost] = [0, 0];
  const clock = manualClock();
  const hub = new InspectionHub({
    clock,
    scrub: (value) => {
      now += cost;
      return value;
    },
    warn: () => {},
    addressOf: () => undefined,
    poolActor: (threadId) => `pool:${threadId}`,
    poolOf: () => 'p',
    now: () => now,
  });
  hub.listen(() => {});
  const show = (): void => {
    const base = { rootId: ROOT_ID, sessionId: 'a/1', createdAt: '0', id: '1', _version: INSPECT_VERSION };
    const snapshot = { status: 'active', output: undefined, error: undefined };
    const more = { name: 'a/1', definition: undefined, parentId: undefined, snapshot };
    hub.fromThread(
      { threadId: 'p', n: 1, name: 'holdfast:p:1' },
      [{ ...base, type: '@xstate.actor', ...more }],
      0,
    );
  };
  cost = 7;
  show();
  expect(hub.room()).toBeUndefined();
  cost = 9;
  show();
  // 16 ms are the share of 200.
  const room = hub.room();
  expect(hub.room()).toBe(room);
  let isThere = false;
  void room?.then(() => (isThere = true));
  clock.pass(183);
  await Promise.resolve();
  expect(isThere).toBe(false);
  clock.pass(1);
  await room;
  now = 200;
  expect(hub.room()).toBeUndefined();
  cost = 1000;
  show();
  // However long it took, a thread does not wait for ever.
  const late = hub.room();
  clock.pass(1000);
  await late;
  show();
  // Nor for one that has stopped.
  const last = hub.room();
  expect(last).toBeDefined();
  hub.stop();
  await last;
});
