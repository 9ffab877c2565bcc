import { assign, fromCallback, setup, type AnyActorLogic } from 'xstate';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import type { ActivateRequest } from '../wire/protocol.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import { host } from './fixtures/hosted.ts';
import { migrated, migrationsOf, type Migration } from './migrations.ts';

const machineOf = (version?: string): AnyActorLogic =>
  setup({}).createMachine({ ...(version !== undefined && { version }) });

/** What becomes of a state of a version under these migrations; a step notes its name. */
function walk(
  version: string | undefined,
  target: string | undefined,
  migrations: Record<string, unknown> | undefined,
  more: Partial<ActivateRequest> = {},
) {
  const request = {
    address: 'agent/one',
    snapshot: { steps: [] },
    ...(version !== undefined && { version }),
    ...more,
  };
  const exported = migrationsOf(migrations === undefined ? {} : { migrations }, 'test:module');
  return migrated(request as unknown as ActivateRequest, machineOf(target), exported);
}

const note =
  (name: string, version?: string): Migration =>
  ({ snapshot, ...state }) => {
    const { steps } = snapshot as { steps: string[] };
    return { ...state, snapshot: { steps: [...steps, name] }, ...(version !== undefined && { version }) };
  };

function thrownBy(run: () => unknown): HoldfastError {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a state goes from its version to that of the machine', () => {
  const steps = { '1': note('1'), '2': note('2'), '3': note('3') };
  test.each<[string, string | undefined, string | undefined, Record<string, Migration>, readonly string[]]>([
    ['in one step', '1', '2', { '1': note('1') }, ['1']],
    ['in several, each to the next that is listed', '1', '4', steps, ['1', '2', '3']],
    ['from the middle', '2', '4', steps, ['2', '3']],
    ['and no further, when the machine is an older one', '1', '3', steps, ['1', '2']],
    ['in no step, when it has that version', '3', '3', steps, []],
    [
      'in the order in which versions that are no numbers stand',
      'b',
      'c',
      { b: note('b'), a: note('a') },
      ['b', 'a'],
    ],
    ['by *, where the version has no migration of its own', '0.9', '4', { ...steps, '*': note('*') }, ['*']],
    ['by its own and not by *', '3', '4', { ...steps, '*': note('*') }, ['3']],
    ['by *, when it has no version', undefined, '4', { ...steps, '*': note('*') }, ['*']],
    ['as it is, when it has no version and there is no *', undefined, '4', steps, []],
    ['over the version that a step gives it', '1', '9', { ...steps, '1': note('1', '3') }, ['1', '3']],
    [
      'past steps, when a step says so',
      'b',
      'e',
      { b: note('b', 'd'), c: note('c'), d: note('d') },
      ['b', 'd'],
    ],
    ['from * to a step, when it says so', 'old', '4', { ...steps, '*': note('*', '3') }, ['*', '3']],
    ['of a machine without a version', '1', undefined, { '1': note('1') }, ['1']],
  ])('%s', (_name, from, to, migrations, expected) => {
    const { snapshot, version } = walk(from, to, migrations);
    expect(snapshot).toEqual({ steps: expected });
    expect(version).toBe(expected.length === 0 ? from : to);
  });

  test('with its timers', () => {
    const timer = { from: [], to: [], event: { type: 'tick' }, delayMs: 1, dueAt: 1, leftMs: 1 };
    const doubled: Migration = ({ timers, ...state }) => ({ ...state, timers: [...timers, ...timers] });
    expect(walk('1', '2', { '1': doubled }, { timers: [timer] }).timers).toEqual([timer, timer]);
  });

  test('of another version without a word, where there are no migrations and no store is under it', () => {
    expect(walk('1', '2', undefined)).toMatchObject({ version: '1', snapshot: { steps: [] } });
    expect(walk(undefined, '2', undefined, { durable: true })).toMatchObject({ snapshot: { steps: [] } });
  });
});

describe('a state does not go on', () => {
  const failing = (): never => {
    throw new Error('no price');
  };
  const timer = { from: [], to: [], event: {}, delayMs: 1, dueAt: 1, leftMs: 1 };
  const returning =
    (given: unknown): unknown =>
    () =>
      given;
  test.each<[string, Record<string, unknown> | undefined, RegExp]>([
    ['when nobody migrates its version', { '2': note('2') }, /nobody migrates version "1"/u],
    ['when a version on its way has no migration', { '1': note('1', '1b') }, /nobody migrates version "1b"/u],
    ['when there are no migrations', undefined, /nobody migrates version "1"/u],
    ['when a migration throws', { '1': failing }, /migration "1" threw: no price/u],
    [
      'when migrations lead in a circle',
      { '1': note('1', '2'), '2': note('2', '1') },
      /from version "1" back to it/u,
    ],
    ['when * leads to where it began', { '*': note('*', '0'), '0': note('0', '1') }, /back to it/u],
    ['when a migration returns nothing', { '1': returning(undefined) }, /returned no state/u],
    [
      'when a migration returns a promise',
      { '1': async () => ({ snapshot: {}, timers: [] }) },
      /returned no state/u,
    ],
    ['when a migration returns the snapshot alone', { '1': returning({ value: 'a' }) }, /returned no state/u],
    ['when a snapshot is none', { '1': returning({ snapshot: 1, timers: [] }) }, /returned no state/u],
    ['when a timer is none', { '1': returning({ snapshot: {}, timers: [timer] }) }, /returned no state/u],
    [
      'when a version is none',
      { '1': returning({ snapshot: {}, timers: [], version: 2 }) },
      /returned no state/u,
    ],
  ])('%s', (_name, migrations, why) => {
    const error = thrownBy(() => walk('1', '9', migrations, { durable: true }));
    expect(error.code).toBe('STATE_INCOMPATIBLE');
    expect(error.message).toMatch(/the state of agent\/one, of version "1" .* version "9"/u);
    expect(error.message).toMatch(why);
  });

  test.each([
    ['a list', []],
    ['text', 'x'],
    ['a version without a function', { '1': 'x' }],
  ])('when migrations are %s', (_name, migrations) => {
    expect(thrownBy(() => migrationsOf({ migrations }, 'test:module')).code).toBe('AGENT_EXPORT_INVALID');
  });
});

describe('a machine that changed', () => {
  const kid = setup({}).createMachine({ initial: 'x', states: { x: {} } });
  const before = setup({ actors: { kid } }).createMachine({
    id: 'desk',
    version: '1',
    context: { n: 1 },
    initial: 'a',
    states: {
      a: { on: { go: 'b', call: 'with' } },
      b: { initial: 'c', states: { c: {} }, on: { back: 'a' } },
      with: { invoke: { src: 'kid', id: 'kid' }, on: { back: 'a' } },
    },
  });
  const config = { id: 'desk', version: '2', initial: 'a', context: { n: 1 } } as const;
  const stateIn = (...types: readonly string[]): PersistedState => {
    const { instance, stop } = host(before);
    for (const type of types) instance.turn({ type }, undefined);
    const state = structuredClone(instance.persist());
    stop();
    return state;
  };
  const begin = (logic: AnyActorLogic, state: PersistedState, migrations?: Record<string, Migration>) => {
    const exported = migrationsOf(migrations === undefined ? {} : { migrations }, 'test:module');
    const { snapshot, timers, version } = structuredClone(state);
    const request = { address: 'agent/one', snapshot, timers, ...(version !== undefined && { version }) };
    return host(logic, migrated(request as unknown as ActivateRequest, logic, exported));
  };
  const to =
    (changes: object): Migration =>
    ({ snapshot, ...state }) => ({ ...state, snapshot: { ...(snapshot as object), ...changes } });

  test.each<[string, AnyActorLogic, Migration, unknown]>([
    ['a state is gone', setup({}).createMachine({ ...config, states: { a: {} } }), to({ value: 'a' }), 'a'],
    [
      'a state has another name',
      setup({}).createMachine({ ...config, states: { a: {}, b: { initial: 'e', states: { e: {} } } } }),
      to({ value: { b: 'e' } }),
      { b: 'e' },
    ],
    [
      'a state has no states any more',
      setup({}).createMachine({ ...config, states: { a: {}, b: {} } }),
      to({ value: 'b' }),
      'b',
    ],
  ])('does not restore where %s, until it is migrated', (_name, logic, migration, value) => {
    const state = stateIn('go');
    const error = thrownBy(() => begin(logic, state));
    expect(error.code).toBe('STATE_INCOMPATIBLE');
    expect(error.message).toMatch(/version "1" .* version "2": .*(?:does not exist|state)/u);
    const { instance } = begin(logic, state, { '1': migration });
    expect(instance.persist()).toMatchObject({ version: '2', snapshot: { status: 'active', value } });
  });

  test('goes on in the first of the states that a state has now', () => {
    const logic = setup({}).createMachine({
      ...config,
      states: { a: { initial: 'q', states: { q: {} } } },
    });
    expect(begin(logic, stateIn()).instance.persist().snapshot).toMatchObject({ value: { a: 'q' } });
  });

  test('goes on without a new field of its context, which a migration gives it', () => {
    const logic = setup({}).createMachine({
      ...config,
      context: { n: 1, list: [] as number[] },
      states: { a: {} },
      on: {
        add: { actions: assign({ list: ({ context }) => [...(context as { list: number[] }).list, 1] }) },
      },
    });
    const bare = begin(logic, stateIn());
    bare.instance.turn({ type: 'add' }, undefined);
    expect(bare.instance.failure).toMatchObject({
      message: expect.stringContaining('not iterable') as string,
    });
    const whole = begin(logic, stateIn(), { '1': to({ context: { n: 1, list: [] } }) });
    whole.instance.turn({ type: 'add' }, undefined);
    expect(whole.instance.persist().snapshot).toMatchObject({ context: { n: 1, list: [1] } });
  });

  test('goes on without a child whose logic is gone, and says so', () => {
    const logic = setup({}).createMachine({ ...config, states: { a: {}, with: { on: { back: 'a' } } } });
    const { instance, said } = begin(logic, stateIn('call'));
    expect(said.join()).toMatch(/child "kid": there is no logic "kid"/u);
    instance.turn({ type: 'back' }, undefined);
    expect(instance.persist().snapshot).toMatchObject({ value: 'a', children: {} });
    const quiet = begin(logic, stateIn('call'), { '1': to({ children: {} }) });
    expect(quiet.said).toEqual([]);
  });

  test('does not go on where a child of it cannot be restored, and begins nothing', () => {
    let begun = 0;
    const listening = fromCallback(() => void (begun += 1));
    const changed = setup({}).createMachine({ initial: 'y', states: { y: {} } });
    const logic = setup({ actors: { kid: changed, listening } }).createMachine({
      ...config,
      states: { a: {}, with: { invoke: { src: 'kid', id: 'kid' } } },
      invoke: { src: 'listening' },
    });
    const error = thrownBy(() => begin(logic, stateIn('call')));
    expect(error).toMatchObject({ code: 'STATE_INCOMPATIBLE' });
    expect(error.message).toMatch(/in its child "kid"/u);
    expect(begun).toBe(0);
  });
});
