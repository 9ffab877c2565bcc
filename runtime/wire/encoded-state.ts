import { isObject } from '../base/call-check.ts';
import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import type { NewTexts } from '../base/marked-text.ts';
import { MAX_LEVELS, sharesMemory } from '../mailbox/size.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import { decodeBytes, encodeBytes } from './encoded-bytes.ts';
import { LONG, MANY, type MarkedText, type ToldTexts } from './long-texts.ts';
import { hasToJson, MOST_MISSING } from './plain-json.ts';
import { isPersistedState } from './shapes.ts';
import type { Path } from './told-runs.ts';
import { findWhy } from './unclonable.ts';

/**
 * A value as it is stored: JSON text when JSON says all of it, and else the bytes of `node:v8`. Text that begins with a
 * line break has two lines: the paths of all fields and items that are `undefined`, and the value without them.
 */
export type Encoded = string | Uint8Array;

/**
 * Encodes a state, so that {@link decodeState} gives what structured clone would give. A field of a snapshot itself
 * that is `undefined`, such as `output` of an actor that is active, is left out: to XState that is the same.
 *
 * @throws {HoldfastError} `REPLY_UNCLONABLE`, with the reason, for a state that cannot be cloned
 */
export function encodeState(state: PersistedState): Encoded {
  return encode(state, 'REPLY_UNCLONABLE', (walk) => walk.state(state));
}

/**
 * Encodes a state of which JSON says all, as {@link encodeState} does, but for long texts that were told before; returns
 * `undefined` for every other state.
 */
export function encodeToldState(state: PersistedState, told: ToldTexts): MarkedText | undefined {
  try {
    let texts: NewTexts = NO_TEXTS;
    told.begin();
    const text = textOf(
      state,
      (walk) => walk.state(state, told),
      ({ long }) => {
        if (long < MANY && told.context === undefined) return told.whole(JSON.stringify(state));
        const marked = told.encode(state);
        ({ texts } = marked);
        return marked.text;
      },
    );
    if (text !== undefined) return { text, texts };
  } catch {
    // Whoever encodes it as it is finds out why it cannot be.
  }
  told.forget();
  return undefined;
}

/**
 * Encodes an event or an answer, which may be any value that structured clone takes.
 *
 * @throws {HoldfastError} `MESSAGE_UNCLONABLE`, with the reason, for a value that cannot be cloned
 */
export function encodeEvent(event: unknown): Encoded {
  // JSON has no text for it.
  if (event === undefined) return encodeBytes(event, 'MESSAGE_UNCLONABLE');
  return encode(event, 'MESSAGE_UNCLONABLE', (walk) => walk.value(event, 0));
}

/**
 * @throws {HoldfastError} `STATE_INCOMPATIBLE`, when it is no encoded state
 */
export function decodeState(encoded: unknown): PersistedState {
  const state = decode(encoded, 'state');
  if (!isPersistedState(state)) throw unreadable('state', 'it has another form');
  return state;
}

/**
 * @throws {HoldfastError} `STATE_INCOMPATIBLE`, when it is no encoded value
 */
export function decodeEvent(encoded: unknown): unknown {
  return decode(encoded, 'event');
}

function textOf(
  value: unknown,
  isJson: (walk: JsonWalk) => boolean,
  stringify: (walk: JsonWalk) => string = () => JSON.stringify(value),
): string | undefined {
  const walk = new JsonWalk(false);
  if (inheritsToJson() || !isJson(walk)) return undefined;
  const text = stringify(walk);
  if (walk.missing === undefined) return text;
  const paths = new JsonWalk(true);
  return isJson(paths) ? `\n${JSON.stringify(paths.missing)}\n${text}` : undefined;
}

function encode(value: unknown, code: HoldfastErrorCode, isJson: (walk: JsonWalk) => boolean): Encoded {
  try {
    return textOf(value, isJson) ?? encodeBytes(value, code);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const given = cause instanceof Error ? cause.message : 'something that is not an Error was thrown';
    const why = sharesMemory(value) ? 'it holds memory that threads share' : (findWhy(value) ?? given);
    throw new HoldfastError(code, `this cannot be stored: ${why}`, { cause });
  }
}

function decode(encoded: unknown, what: 'state' | 'event'): unknown {
  try {
    if (encoded instanceof Uint8Array) return decodeBytes(encoded);
    if (typeof encoded !== 'string') throw new TypeError('it is neither text nor bytes');
    if (!encoded.startsWith('\n')) return JSON.parse(encoded);
    const end = encoded.indexOf('\n', 1);
    const value: unknown = JSON.parse(encoded.slice(end + 1));
    for (const path of JSON.parse(encoded.slice(1, end)) as readonly Path[]) putUndefined(value, path);
    return value;
  } catch {
    // The message of a parser shows part of the text, which may hold anything.
    throw unreadable(
      what,
      encoded instanceof Uint8Array ? 'its bytes are not whole' : 'its text is not whole',
    );
  }
}

function unreadable(what: 'state' | 'event', why: string): HoldfastError {
  return new HoldfastError(
    'STATE_INCOMPATIBLE',
    `a stored ${what} cannot be read: ${why}; it was written by a newer version of Node.js or Holdfast, or changed by something else`,
  );
}

const NOWHERE: Path = [];

const NO_TEXTS: NewTexts = [];

/** The most objects that are looked for one by one: with so few of them a set costs more than it saves. */
const FEW = 16;

/** Whether JSON says all of a value. Recursive, because it goes no deeper than {@link MAX_LEVELS}. */
class JsonWalk {
  /** The paths to what is `undefined`; `undefined` when there are none. Empty lists where paths are not noted. */
  missing: Path[] | undefined;
  /** The characters in long texts. */
  long = 0;
  readonly #path: (string | number)[] | undefined;
  readonly #few: object[] = [];
  #seen: Set<object> | undefined;
  #told: ToldTexts | undefined;

  /** `paths`: whether it notes paths, which few values need. */
  constructor(paths: boolean) {
    this.#path = paths ? [] : undefined;
  }

  /** `told`: takes the context, if it can. */
  state(state: PersistedState, told?: ToldTexts): boolean {
    this.#told = told;
    return this.#state(state) && (told?.context === undefined || this.#isApart(told.context));
  }

  #state(state: PersistedState): boolean {
    if (!this.#isNewPlain(state)) return false;
    for (const key in state) {
      const field: unknown = state[key as keyof PersistedState];
      if (field === undefined) continue;
      if (this.#path !== undefined) this.#path[0] = key;
      if (!(key === 'snapshot' ? this.#snapshot(field, 1) : this.value(field, 1))) return false;
    }
    return true;
  }

  value(value: unknown, level: number): boolean {
    if (typeof value === 'string') {
      if (value.length >= LONG) this.long += value.length;
      return true;
    }
    if (typeof value === 'boolean' || value === null) return true;
    // Neither NaN nor infinite, and not -0.
    if (typeof value === 'number') return value - value === 0 && (value !== 0 || 1 / value > 0);
    if (value === undefined) return this.#note(level);
    if (typeof value !== 'object' || level >= MAX_LEVELS) return false;
    if (Array.isArray(value)) return this.#list(value, level);
    if (!this.#isNewPlain(value)) return false;
    for (const key in value) {
      if (this.#path !== undefined) this.#path[level] = key;
      if (!this.value(value[key], level + 1)) return false;
    }
    return true;
  }

  #list(list: readonly unknown[], level: number): boolean {
    if (!this.#isNew(list) || Object.getPrototypeOf(list) !== Array.prototype) return false;
    // Holes take a value away and names add one; a list with both is caught by its holes. The keys would be made into texts.
    if (Object.values(list).length !== list.length) return false;
    for (let i = 0; i < list.length; i++) {
      const item = list[i];
      if (this.#path !== undefined) this.#path[level] = i;
      if (item === undefined && !Object.hasOwn(list, i)) return false;
      if (!this.value(item, level + 1)) return false;
    }
    return !hasToJson(list);
  }

  #snapshot(snapshot: unknown, level: number): boolean {
    return this.#fields(snapshot, level, (key, field) => {
      if (key === 'children' && isObject(field)) return this.#children(field, level + 1);
      return key === 'context' && level === 1
        ? this.#context(field, level + 1)
        : this.value(field, level + 1);
    });
  }

  #context(context: unknown, level: number): boolean {
    const told = this.#told;
    const isNoted = this.#path === undefined;
    const isTold =
      told !== undefined && isObject(context) && (isNoted ? told.takes(context, level) : told.context);
    if (isTold === false || isTold === undefined) return this.value(context, level);
    if (told?.context?.isMissing !== true) return true;
    const paths = isNoted ? [NOWHERE] : told.context.missing(this.#path?.slice(0, level) ?? NOWHERE);
    return (this.missing ??= []).push(...paths) <= MOST_MISSING;
  }

  /** Whether nothing that is in the context is beside it. */
  #isApart(context: { holds(one: object): boolean }): boolean {
    for (const one of this.#seen ?? this.#few) if (context.holds(one)) return false;
    return true;
  }

  #children(children: object, level: number): boolean {
    return this.#fields(children, level, (_, child) =>
      this.#fields(child, level + 1, (key, field) =>
        key === 'snapshot' && isObject(field)
          ? this.#snapshot(field, level + 2)
          : this.value(field, level + 2),
      ),
    );
  }

  /** Whether all fields that are there fit. */
  #fields(value: unknown, level: number, fits: (key: string, field: unknown) => boolean): boolean {
    if (level >= MAX_LEVELS || !isObject(value) || !this.#isNewPlain(value)) return false;
    for (const key in value) {
      const field = value[key];
      if (this.#path !== undefined) this.#path[level] = key;
      if (field !== undefined && !fits(key, field)) return false;
    }
    return true;
  }

  #isNewPlain(value: object): value is Record<string, unknown> {
    const prototype: unknown = Object.getPrototypeOf(value);
    return (prototype === Object.prototype || prototype === null) && this.#isNew(value) && !hasToJson(value);
  }

  /** A part that stands in two places is one part after structured clone, and there may be more ways to it than atoms. */
  #isNew(value: object): boolean {
    if (this.#seen !== undefined) {
      const before = this.#seen.size;
      return this.#seen.add(value).size !== before;
    }
    if (this.#few.includes(value)) return false;
    if (this.#few.push(value) > FEW) this.#seen = new Set(this.#few);
    return true;
  }

  #note(level: number): boolean {
    return (this.missing ??= []).push(this.#path?.slice(0, level) ?? NOWHERE) <= MOST_MISSING;
  }
}

/** Whether all lists, or all texts and numbers, have been given a form of their own. */
function inheritsToJson(): boolean {
  return hasToJson(String.prototype) || hasToJson(Number.prototype) || hasToJson(Boolean.prototype);
}

/** The paths come from outside: only what is there is walked, and a field of a list is an item. */
function putUndefined(root: unknown, path: Path): void {
  let at = root;
  for (const key of path.slice(0, -1))
    at = isObject(at) && Object.hasOwn(at, key) ? at[key as never] : undefined;
  const key = path.at(-1);
  const isThere = isObject(at) && key !== undefined && (!Array.isArray(at) || Object.hasOwn(at, key));
  if (!isThere) throw new TypeError('a path leads nowhere');
  Object.defineProperty(at, key, { value: undefined, configurable: true, enumerable: true, writable: true });
}
