import type { AnyActorLogic } from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import { exportOf, type UserModule } from '../base/user-module.ts';
import type { ActivateRequest } from '../wire/protocol.ts';
import { isEvent, isListOf, isPersistedState, isPlain } from '../wire/shapes.ts';
import { dueAtOf, type PersistedState, type PersistedTimer } from '../xstate/persisted-timer.ts';

/**
 * Takes a state of one version of a machine to the next. It may change and return the state that it is given. A state
 * with another `version` than the given one is of that version.
 */
export type Migration = (state: PersistedState) => PersistedState;

/** Migrations by the version that they begin with, oldest first; `*` is for every version without one of its own. */
export type Migrations = ReadonlyMap<string, Migration>;

/** What a migration looks at. */
type ToMigrate = Pick<ActivateRequest, 'address' | 'durable' | 'snapshot' | 'timers' | 'version'>;

const ANY = '*';
/** The most characters of a version that an error shows. */
const SHOWN = 64;

/** The same for each instance of an agent; made once for each module. */
const known = new WeakMap<UserModule, Migrations>();

/**
 * The migrations that a module exports; undefined when it exports none.
 *
 * @throws {HoldfastError} `AGENT_EXPORT_INVALID`
 */
export function migrationsOf(module: UserModule, moduleUrl: string): Migrations | undefined {
  const before = known.get(module);
  if (before !== undefined) return before;
  const exported = exportOf(module, 'migrations', isRecord);
  if (exported === undefined) return undefined;
  const isWhole = isRecord(exported) && Object.values(exported).every((one) => typeof one === 'function');
  if (!isWhole) {
    const what = 'is no object of functions by the version of the machine';
    throw new HoldfastError(
      'AGENT_EXPORT_INVALID',
      `export "migrations" of ${moduleUrl} ${what}; write migrations = { '1': (state) => state }`,
    );
  }
  const migrations = new Map(Object.entries(exported as Record<string, Migration>));
  known.set(module, migrations);
  return migrations;
}

/**
 * The request with its state as the version of the machine at hand has it. A state without a version is taken as it is,
 * unless there is a migration `*`. Where there are no migrations, a state of another version is taken as it is too, but
 * not for a durable instance.
 *
 * @throws {HoldfastError} `STATE_INCOMPATIBLE`
 */
export function migrated<R extends ToMigrate>(
  request: R,
  logic: AnyActorLogic,
  migrations: Migrations | undefined,
): R {
  const { snapshot, timers = [], version, durable, address } = request;
  const target = versionOf(logic);
  if (snapshot === undefined || version === target) return request;
  if (version === undefined && migrations?.has(ANY) !== true) return request;
  if (migrations === undefined && durable !== true) return request;
  const state = { snapshot, timers, ...(version !== undefined && { version }) };
  const { version: _, ...rest } = request;
  const { snapshot: next, timers: left } = migrate(state, target, migrations ?? new Map(), address);
  return { ...rest, snapshot: next, timers: left, ...(target !== undefined && { version: target }) } as R;
}

/** The error of a state that the machine at hand does not continue. */
export function incompatible(
  address: string,
  from: string | undefined,
  to: string | undefined,
  why: string,
  options?: ErrorOptions,
): HoldfastError {
  return new HoldfastError(
    'STATE_INCOMPATIBLE',
    `the state of ${address}, of ${named(from)} of its machine, does not go on with ${named(to)}: ${why}`,
    options,
  );
}

/** A durable state whose machine has another version than the one that it was written with, before its first turn. */
export interface ChangedVersion {
  readonly from: string | undefined;
  /** The record may stay as it was until then: it says when to wake. */
  readonly keepsRecord: boolean;
}

/** `begun`: the state that was given, as the migrations have made it. */
export function changedVersion(
  given: ToMigrate,
  begun: ToMigrate,
  logic: AnyActorLogic,
): ChangedVersion | undefined {
  const { durable, snapshot, version: from } = given;
  if (durable !== true || snapshot === undefined || from === versionOf(logic)) return undefined;
  const dueAt = ({ timers = [] }: ToMigrate): number | undefined => dueAtOf({ timers });
  return { from, keepsRecord: dueAt(given) === dueAt(begun) };
}

export function versionOf(logic: AnyActorLogic): string | undefined {
  const { version } = logic as { version?: unknown };
  return typeof version === 'string' ? version : undefined;
}

/** Step by step; no version is met twice, so there are no more steps than migrations. */
function migrate(
  given: PersistedState,
  target: string | undefined,
  migrations: Migrations,
  address: string,
): PersistedState {
  const fail = (why: string, options?: ErrorOptions): HoldfastError =>
    incompatible(address, given.version, target, why, options);
  const met = new Set<string | undefined>();
  let state = given;
  let at = given.version;
  while (at !== target) {
    if (met.has(at)) throw fail(`its migrations lead from ${named(at)} back to it`);
    met.add(at);
    const key = at !== undefined && at !== ANY && migrations.has(at) ? at : ANY;
    const step = migrations.get(key);
    if (step === undefined)
      throw fail(`nobody migrates ${named(at)}; export migrations with it, or go back to that machine`);
    let next: unknown;
    try {
      // Each step sees the version that it begins with.
      next = step(at === undefined ? state : { ...state, version: at });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'something that is not an Error was thrown';
      throw fail(`the migration "${shown(key)}" threw: ${why}`, { cause });
    }
    if (!isWholeState(next))
      throw fail(
        `the migration "${shown(key)}" returned no state; return { snapshot, timers }, and no promise`,
      );
    const { version } = next;
    if (version !== undefined && version !== at) at = version;
    else at = key === ANY ? target : following(key, migrations, target);
    state = next;
  }
  return state;
}

/** The version after that of a migration: that of the next migration, or after the last one that of the machine. */
function following(key: string, migrations: Migrations, target: string | undefined): string | undefined {
  const versions = [...migrations.keys()].filter((version) => version !== ANY);
  return versions[versions.indexOf(key) + 1] ?? target;
}

function isWholeState(value: unknown): value is PersistedState {
  if (!isPersistedState(value) || typeof value.snapshot !== 'object' || value.snapshot === null) return false;
  const { version } = value as { version?: unknown };
  return (version === undefined || typeof version === 'string') && value.timers.every(isTimer);
}

function isTimer(timer: PersistedTimer): boolean {
  const { from, to, event, id, delayMs, dueAt, leftMs } = timer as unknown as Record<string, unknown>;
  return (
    isListOf(from, isText) &&
    (isListOf(to, isText) || isPlain(to)) &&
    isEvent(event) &&
    (id === undefined || isText(id)) &&
    [delayMs, dueAt, leftMs].every(Number.isFinite)
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function named(version: string | undefined): string {
  return version === undefined ? 'no version' : `version "${shown(version)}"`;
}

function shown(version: string): string {
  return version.length > SHOWN ? `${version.slice(0, SHOWN)}…` : version;
}
