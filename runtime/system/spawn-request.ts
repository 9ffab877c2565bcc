import type { PersistedEnvelope } from '../instance/agent-ref.ts';
import type { AskToCarry } from '../instance/carried-asks.ts';
import { kindOf } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';

/** The checked options of a spawn. */
export interface SpawnRequest {
  readonly id?: string | undefined;
  readonly input?: unknown;
  readonly snapshot?: PersistedEnvelope | undefined;
  /** Whether the instance is not started without a record; never from a user's call. */
  readonly recorded?: boolean | undefined;
  /** Whether the address has to be free of passive instances too; from a user's call of `spawn`. */
  readonly anew?: boolean | undefined;
  /** The asks that the instance put off in another process; never from a user's call. */
  readonly asks?: readonly AskToCarry[] | undefined;
}

/** Checks the options of a caller, who may not have types; none are fine, too. `at`: the id from the address. */
export function spawnRequest(agent: string, options: unknown, at?: unknown): SpawnRequest {
  const given = options ?? {};
  if (typeof given !== 'object') {
    throw invalid(agent, `the options are an object, such as { id: "btc" }, not a ${typeof given}`);
  }
  const { id, input, snapshot } = read(agent, given, at);
  if (id !== undefined && (typeof id !== 'string' || !isId(id))) {
    const got = typeof id === 'string' ? 'one without any or with half a character' : `a ${typeof id}`;
    throw invalid(agent, `an id is a string of at least one character, not ${got}`);
  }
  if (snapshot !== undefined && !isEnvelope(snapshot)) {
    throw invalid(agent, 'the snapshot is not what persist() returns');
  }
  return { id, input, snapshot: snapshot as PersistedEnvelope | undefined };
}

/** Returns the state from which the first activation continues. */
export function continuationOf({ snapshot, timers = [], version }: PersistedEnvelope): PersistedState {
  return { snapshot, timers, ...(version === undefined ? {} : { version }) };
}

function isEnvelope(snapshot: unknown): boolean {
  try {
    const { v, timers } = (snapshot ?? {}) as Partial<PersistedEnvelope>;
    return v === 1 && (timers === undefined || Array.isArray(timers));
  } catch {
    return false;
  }
}

/** Whether a text can be an id; half of a surrogate pair cannot be percent-encoded. */
function isId(id: string): boolean {
  return id !== '' && !/\p{Surrogate}/u.test(id);
}

/** Reads each option once, since a getter may be behind it; an id from the address takes precedence. */
function read(agent: string, given: object, at: unknown): Record<string, unknown> {
  try {
    const { id, input, snapshot } = given as Record<string, unknown>;
    return { id: at ?? id, input, snapshot };
  } catch (cause) {
    throw invalid(agent, 'the options cannot be read', cause);
  }
}

function invalid(agent: unknown, what: string, cause?: unknown): HoldfastError {
  const named = typeof agent === 'string' ? `"${agent}"` : kindOf(agent);
  return new HoldfastError(
    'CONFIG_INVALID',
    `cannot spawn ${named}: ${what}`,
    cause === undefined ? {} : { cause },
  );
}
