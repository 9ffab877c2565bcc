import { createActor } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { ResolvedAgent } from '../config/resolve.ts';
import { DeadLetters } from '../dead-letters/dead-letters.ts';
import { HoldfastError } from '../base/errors.ts';
import {
  LoneBerth,
  lonelyAgent,
  loneEffects,
  manualClock,
  settled,
} from '../instance/fixtures/lone-instance.ts';
import type { Instance } from '../instance/instance.ts';
import { twinLogic, type InstanceRequest } from '../instance/twins.ts';
import { Waiting } from '../mailbox/waiting.ts';
import type { SnapshotStore } from '../store/snapshot-store.ts';
import { Snapshots } from '../store/snapshots.ts';
import { Instances } from './instances.ts';

/** A registry whose runtime does nothing: no pool, no thread, no secret. */
function rig(store?: SnapshotStore) {
  const clock = manualClock();
  const told: string[] = [];
  const logged: string[] = [];
  const runtime = { stopping: false };
  const log = (_fields: object, message: string): void => void logged.push(message);
  const instances = new Instances({
    effects: {
      ...loneEffects({ clock, waiting: new Waiting(clock), letters: new DeadLetters(() => {}), told }),
      gone: (instance) => {
        told.push('gone');
        instances.forget(instance);
      },
    },
    snapshots: new Snapshots({ store, clock, warn: log, secretIn: () => undefined }),
    ledgers: undefined,
    poolOf: () => ({ sharedMemory: false }),
    owns: () => true,
    openGrants: () => told.push('grants'),
    assertRunning() {
      if (runtime.stopping) throw new HoldfastError('RUNTIME_STOPPED', 'it stops');
    },
    logger: { debug: log, info: log, warn: log, error: log },
    warn: log,
  });
  /** An actor that stands for an instance. */
  const twin = (
    request: Partial<Pick<InstanceRequest, 'id' | 'named' | 'parent'>> = {},
    agent: ResolvedAgent = lonelyAgent(),
  ) => {
    const actor = createActor(twinLogic(instances, { agent, parent: 'pool', ...request }));
    actor.subscribe({ error: () => {} });
    return actor;
  };
  return { instances, twin, told, logged, runtime };
}

/** Its pool gives it a seat, and its thread starts it. */
function run(instance: Instance): void {
  const berth = new LoneBerth(instance, () => {});
  if (!instance.placed(berth)) throw new Error('it takes no seat');
  berth.begun = true;
  instance.running();
}

function found(instance: Instance | undefined): Instance {
  if (instance === undefined) throw new Error('there is none');
  return instance;
}

describe('an address', () => {
  test('is taken when its twin is made, leads to the instance when that starts, and is free when nothing is left of it', async () => {
    const { instances, twin } = rig();
    const actor = twin({ id: 'a' });
    expect([instances.isTaken('agent/a'), instances.at('agent/a')?.phase]).toEqual([true, undefined]);
    actor.start();
    const instance = found(instances.at('agent/a'));
    expect(instances.of(actor)).toBe(instance);
    expect(instances.ref('agent/a')).toBe(actor);
    expect(instances.all().map(({ address }) => address)).toEqual(['agent/a']);
    await instance.stop();
    expect([instances.isTaken('agent/a'), instances.all().length]).toEqual([false, 0]);
  });

  test('without an id has the lowest number that none of the agent had', () => {
    const { instances, twin } = rig();
    for (const id of ['1', undefined, '4', undefined, undefined])
      twin(id === undefined ? {} : { id }).start();
    expect(instances.all().map(({ id }) => id)).toEqual(['1', '2', '4', '3', '5']);
  });

  test('is given to nobody when the runtime stops', () => {
    const { instances, twin, runtime } = rig();
    runtime.stopping = true;
    expect(twin({ id: 'a' }).getSnapshot()).toMatchObject({
      status: 'error',
      error: { code: 'RUNTIME_STOPPED' },
    });
    expect(instances.isTaken('agent/a')).toBe(false);
  });
});

describe('an instance that begins', () => {
  test('has its grants before it asks for a place', () => {
    const { twin, told } = rig();
    twin().start();
    expect(told).toEqual(['grants', 'place']);
  });

  test('asks the store first where to go on', async () => {
    const record = {
      v: 1,
      address: 'agent/a',
      incarnation: 4,
      seq: 1,
      snapshot: {},
      timers: [],
      at: 0,
    } as const;
    const { instances, twin, told } = rig({
      durable: true,
      load: () => Promise.resolve(record),
      save: () => Promise.resolve(),
      delete: () => Promise.resolve(),
    });
    twin({ id: 'a', named: true }).start();
    expect(told).toEqual([]);
    await settled();
    expect([told, instances.at('agent/a')?.incarnation]).toEqual([['grants', 'place'], 5]);
  });

  test('and is stopped while the store is asked, asks for no place', async () => {
    const loaded = Promise.withResolvers<undefined>();
    const { instances, twin, told } = rig({
      durable: true,
      load: () => loaded.promise,
      save: () => Promise.resolve(),
      delete: () => Promise.resolve(),
    });
    twin({ id: 'a', named: true }).start();
    await found(instances.at('agent/a')).stop();
    loaded.resolve(undefined);
    await settled();
    expect(told).toEqual(['gone']);
  });

  test('and whose store fails, fails for good, and its address is free', async () => {
    const { instances, twin, told } = rig({
      durable: true,
      load: () => Promise.reject(new Error('no store')),
      save: () => Promise.resolve(),
      delete: () => Promise.resolve(),
    });
    twin({ id: 'a', named: true }).start();
    const { started } = found(instances.at('agent/a'));
    await expect(started).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect([told, instances.isTaken('agent/a')]).toEqual([['gone'], false]);
  });
});

test('what a machine owns is restarted by nobody, and keeps no state', () => {
  const { instances, twin } = rig();
  const supervision = { ...lonelyAgent().supervision, strategy: 'all-for-one' } as const;
  const agent = lonelyAgent({ supervision, state: 'snapshot' });
  twin({ id: 'spawned' }, agent).start();
  twin({ id: 'owned', parent: 'machine' }, agent).start();
  const [owned, spawned] = ['owned', 'spawned'].map((id) => found(instances.at(`agent/${id}`)));
  expect([owned?.supervision, owned?.continuation.keepsState]).toMatchObject([
    { restart: 'temporary', strategy: 'one-for-one' },
    false,
  ]);
  expect([spawned?.supervision, spawned?.continuation.keepsState]).toEqual([supervision, true]);
  // Nor does it fail together with those of its agent's group.
  for (const instance of instances.all()) {
    run(instance);
    instance.failed(new Error('it failed'));
  }
  expect(owned?.giveUp()?.evidence.failures).toMatchObject([{ address: 'agent/owned' }]);
});

test('a group remembers its failures together, others each by themselves', () => {
  const { instances, twin } = rig();
  const group = lonelyAgent({
    name: 'group',
    supervision: { ...lonelyAgent().supervision, strategy: 'all-for-one' },
  });
  for (const agent of [group, lonelyAgent()]) for (const id of ['a', 'b']) twin({ id }, agent).start();
  for (const instance of instances.all()) {
    run(instance);
    instance.failed(new Error('it failed'));
  }
  const failures = (address: string): string[] | undefined =>
    found(instances.at(address))
      .giveUp()
      ?.evidence.failures.map(({ address: failed }) => failed);
  expect(failures('group/b')).toEqual(['group/a', 'group/b']);
  expect(failures('agent/b')).toEqual(['agent/b']);
});
