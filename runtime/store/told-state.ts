import { HoldfastError } from '../base/errors.ts';
import { MARK, type NewTexts } from '../base/marked-text.ts';
import type { EncodedState } from './durable-store.ts';
import { secretInSnapshot } from './secret-in-snapshot.ts';
import { StateTexts } from './state-texts.ts';

/** What a thread tells of an instance after turns that may have changed it. */
export interface ToldState {
  /** With marks for its long texts, if it has any. */
  readonly state: EncodedState;
  /** Those of them that were not told before. */
  readonly texts?: NewTexts | undefined;
  readonly version?: string | undefined;
  readonly dueAt?: number | undefined;
  readonly wakes: boolean;
}

const MB = 1024 * 1024;
/** The most bytes of a state: over it, a thread could not take it in again beside its others. */
export const MOST_BYTES = 16 * MB;
/** The bytes of a state from which on there is a warning, since each flush writes it whole. */
const WARN_BYTES = 64 * 1024;
const NO_TEXTS: NewTexts = [];

/** A state that may be committed. */
export interface FitState {
  /** The long texts that it has marks for. */
  readonly texts: StateTexts | undefined;
  /** The bytes that are written of it, when they are so many that there is a warning. */
  readonly large: number | undefined;
  /** {@link SecretSearch.learned}, when no value was in any part of it. */
  readonly searched: number;
}

/** Looks for the values of secrets in what is to be stored. */
export interface SecretSearch {
  /** Returns the keys that lead to a value in a state, which must not be stored; `undefined` for none. */
  readonly secretIn: (state: unknown, texts?: NewTexts) => readonly string[] | undefined;
  /** Rises when there is more to look for: long texts that were told before have to be searched again. */
  readonly learned: () => number;
}

export interface FitStateOptions extends SecretSearch {
  readonly address: string;
  /** The long texts of the state that was told before. */
  readonly before: StateTexts | undefined;
  /** {@link FitState.searched} of it. */
  readonly searched: number | undefined;
}

/** Returns an error for a state that is not committed: `STATE_INCOMPATIBLE`, `STATE_TOO_LARGE` or `SECRET_IN_SNAPSHOT`. */
export function fitState(
  { state, texts: newTexts = NO_TEXTS }: Pick<ToldState, 'state' | 'texts'>,
  { address, before, searched, secretIn, learned }: FitStateOptions,
): FitState | HoldfastError {
  const isMarked = typeof state === 'string' && state.includes(MARK);
  const texts = isMarked ? StateTexts.of(state, newTexts, before) : undefined;
  if (isMarked && texts === undefined) return textsMissing(address);
  const bytes = bytesOf(state) + (texts?.bytes ?? 0);
  if (bytes > MOST_BYTES) return stateTooLarge(address, bytes);
  const now = learned();
  const isClean = searched === now && secretIn(state, newTexts) === undefined;
  // A part does not say where in the state it stands.
  const path = isClean ? undefined : secretIn(texts?.whole(state as string) ?? state);
  if (path !== undefined) return secretInSnapshot(address, path);
  // Long texts that stay as they are are written once.
  const written = bytes > WARN_BYTES ? bytesOf(state) + (texts?.bytesOf(newTexts) ?? 0) : 0;
  return { texts, large: written > WARN_BYTES ? written : undefined, searched: now };
}

/** The bytes of an encoded state; of a text that cannot have as many as matter, the number of its characters. */
export function bytesOf(state: EncodedState): number {
  if (typeof state !== 'string') return state.byteLength;
  return state.length * 3 > WARN_BYTES ? Buffer.byteLength(state) : state.length;
}

function stateTooLarge(address: string, bytes: number): HoldfastError {
  const mb = (bytes / MB).toFixed(1);
  return new HoldfastError(
    'STATE_TOO_LARGE',
    `the state of ${address} has ${mb} MiB, and at most ${MOST_BYTES / MB} are kept of one; keep large data elsewhere, and in the state what finds it again`,
  );
}

function textsMissing(address: string): HoldfastError {
  return new HoldfastError(
    'STATE_INCOMPATIBLE',
    `the thread of ${address} has told a state without all of its texts, which code of its own must have done; look at what it imports`,
  );
}
