import { HoldfastError } from './errors.ts';

/** What a value that a caller hands in has to be. */
export interface Rule {
  /** In words, to follow "has to be". */
  readonly what: string;
  /** May throw: what cannot be read is not that. */
  readonly is: (value: unknown) => boolean;
  /** What to do with a value that is not that, where there is more to say. */
  readonly advice?: (value: unknown) => string | undefined;
}

/** Without NaN, of which no timer and no comparison knows what to make. Below 0 the time is up at once. */
export const milliseconds: Rule = {
  what: 'a number of milliseconds, or Infinity',
  is: (value) => typeof value === 'number' && !Number.isNaN(value),
};

/** The last time of which there is a date, in milliseconds since the epoch. */
const LAST_DATE_MS = 8.64e15;

export const time: Rule = {
  what: 'a date, or milliseconds since the epoch',
  is: (value) =>
    (value instanceof Date || typeof value === 'number') && Math.abs(Number(value)) <= LAST_DATE_MS,
};

export const eventId: Rule = {
  what: 'a string of 1 to 256 characters',
  is: (value) => typeof value === 'string' && value !== '' && value.length <= 256,
};

/** Half of a surrogate pair is text that no store gives back. */
export const stepKey: Rule = {
  what: 'a string of 1 to 256 characters, each of them whole',
  is: (value) => eventId.is(value) && (value as string).isWellFormed(),
};

export const finite: Rule = { what: 'a number of milliseconds, and not Infinity', is: Number.isFinite };

export const abortSignal: Rule = {
  what: 'an AbortSignal',
  is: isAbortSignal,
  advice: (value) =>
    isAbortSignal((value as { readonly signal?: unknown } | null)?.signal) ? 'give its .signal' : undefined,
};

export const listener: Rule = { what: 'a function', is: isFunction };

export const name: Rule = {
  what: 'a string of at least one character',
  is: (value) => typeof value === 'string' && value !== '',
};

export const string: Rule = { what: 'a string', is: (value) => typeof value === 'string' };

export const flag: Rule = { what: 'true or false', is: (value) => typeof value === 'boolean' };

/** Without holes: of those there may be four thousand million, and each would be looked at. */
export function arrayOf(what: string, is: (item: unknown) => boolean): Rule {
  return {
    what,
    is: (value) =>
      Array.isArray(value) && Object.keys(value).length >= value.length && Object.values(value).every(is),
  };
}

export function oneOf(names: readonly string[]): Rule {
  const what = `one of ${names.map((one) => `'${one}'`).join(', ')}`;
  return { what, is: (value) => typeof value === 'string' && names.includes(value) };
}

/** A rule for an object, or a function, by the methods that are called on it. */
export function objectWith(what: string, methods: readonly string[], optional: readonly string[] = []): Rule {
  const missing = (value: object): string[] => {
    const of = value as Record<string, unknown>;
    return [
      ...methods.filter((method) => !isFunction(of[method])),
      ...optional.filter((method) => of[method] !== undefined && !isFunction(of[method])),
    ];
  };
  return {
    what,
    is: (value) => isObject(value) && missing(value).length === 0,
    advice: (value) => (isObject(value) ? `not a function: ${missing(value).join(', ')}` : undefined),
  };
}

/** What a call was handed by position, by the name of the parameter; `undefined` counts as well. */
export type Given = Readonly<Record<string, readonly [value: unknown, rule: Rule]>>;

/** What a call may be handed in one object. */
export type Rules<T> = Readonly<Record<keyof T & string, Rule>>;

/**
 * Checks what a call was handed before it does anything, and reads each option once. An option that is `undefined` is not
 * given, and neither are options that are `null` or `undefined` themselves.
 *
 * @throws {HoldfastError} `OPTION_INVALID` with all that is wrong: names, rules and what kind of value came, no values
 */
export function checkCall<T extends object = object>(
  call: string,
  given: Given,
  options?: unknown,
  rules: Rules<T> = {} as never,
  required: readonly (keyof T & string)[] = [],
): T {
  const { read, problems } = readCall(given, options, rules, required);
  if (problems.size > 0) throw optionInvalid(call, problems);
  return read;
}

export function optionInvalid(call: string, problems: ReadonlyMap<string, string>): HoldfastError {
  return new HoldfastError('OPTION_INVALID', `${call}: ${[...problems.values()].join('; ')}`);
}

/** What was given, and what is wrong with it by its name. */
export function readCall<T extends object>(
  given: Given,
  options: unknown,
  rules: Rules<T>,
  required: readonly (keyof T & string)[] = [],
): { readonly read: T; readonly problems: ReadonlyMap<string, string> } {
  const problems = new Map<string, string>();
  const look = (where: string, value: unknown, rule: Rule): void => {
    const problem = problemOf(where, value, rule);
    if (problem !== undefined) problems.set(where, problem);
  };
  for (const [parameter, [value, rule]] of Object.entries(given)) look(parameter, value, rule);
  const read: Record<string, unknown> = {};
  const none = options === undefined || options === null;
  if (none && required.length === 0) return { read: read as T, problems };
  look('options', options, anObject);
  if (problems.has('options')) return { read: read as T, problems };
  for (const [option, rule] of Object.entries<Rule>(rules)) {
    try {
      const value = (options as Record<string, unknown>)[option];
      if (value !== undefined) read[option] = value;
    } catch {
      problems.set(option, `${option} cannot be read`);
    }
    if (option in read || required.includes(option as never)) look(option, read[option], rule);
  }
  return { read: read as T, problems };
}

const anObject: Rule = { what: 'an object', is: isObject };

function problemOf(where: string, value: unknown, { what, is, advice }: Rule): string | undefined {
  let more: string | undefined;
  try {
    if (is(value)) return undefined;
    more = advice?.(value);
  } catch {
    // What cannot be read is not that.
  }
  return `${where} has to be ${what}, not ${kindOf(value)}${more === undefined ? '' : ` (${more})`}`;
}

/** How long to wait for something, and when to give up earlier: as it was given, or as is usual. */
export interface Wait {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly id?: string | undefined;
}

const ofWait: Rules<Omit<Wait, 'id'>> = { timeoutMs: milliseconds, signal: abortSignal };
const ofKeptWait = { ...ofWait, id: eventId };

/**
 * The options of a wait, `withId` those of one whose event may have an id; reads nothing where there are none.
 *
 * @throws {HoldfastError} `OPTION_INVALID`
 */
export function checkWait(call: string, options: unknown, usualMs: number, withId = false): Wait {
  if (options === undefined) return { timeoutMs: usualMs, signal: undefined };
  const rules = withId ? ofKeptWait : ofWait;
  const { timeoutMs = usualMs, signal, id } = checkCall<Partial<Wait>>(call, {}, options, rules as never);
  return { timeoutMs, signal, id };
}

/** The only option of many calls. @throws {HoldfastError} `OPTION_INVALID` */
export function checkTimeout(call: string, options: unknown): number | undefined {
  if (options === undefined) return undefined;
  return checkCall<{ timeoutMs?: number }>(call, {}, options, { timeoutMs: milliseconds }).timeoutMs;
}

/** What kind of value it is, for an error's message: never the value, which may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined || Number.isNaN(value)) return String(value);
  if (value === '') return 'an empty string';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const kind = classOf(value);
  return `${/^[AEIOU]/i.test(kind) ? 'an' : 'a'} ${kind}`;
}

function classOf(value: object): string {
  try {
    if (Array.isArray(value)) return 'array';
    const { name } =
      (Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null)?.constructor ?? {};
    return typeof name === 'string' && name !== 'Object' && /^[A-Z]\w{0,39}$/i.test(name) ? name : 'object';
  } catch {
    return 'object that cannot be read';
  }
}

export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

/** By its name and what is used of it: a polyfill's, or one of another realm, is as good. */
function isAbortSignal(value: unknown): boolean {
  if (Object.prototype.toString.call(value) !== '[object AbortSignal]') return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && isFunction(addEventListener) && isFunction(removeEventListener);
}
