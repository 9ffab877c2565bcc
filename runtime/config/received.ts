import type { ConfigPath } from './finding.ts';

/** Strings longer than this are never printed: keys and tokens are long, the words of a config are not. */
const LONGEST_PRINTED_STRING = 40;
const LONGEST_PRINTED_VALUE = 60;

const CREDENTIAL =
  /secret|token|passw|passphrase|pwd|credential|cookie|bearer|signature|private|auth|(?:api|access|signing|encryption|master|ssh|account)[-_ ]?key|^key$/i;

/**
 * Whether what stands at a path may be a credential, so that it is never printed: anything under secrets
 * or env, the url of a store, and under any key that looks like a credential. The name of an agent or a pool does not count for
 * what is below it.
 */
export function isSensitive(path: ConfigPath): boolean {
  // It is not to have a password, and is looked at before anybody knows.
  if (path[0] === 'store' && path[1] === 'url') return true;
  return path.some((key, index) => {
    if (typeof key !== 'string') return false;
    const isName = index === 1 && path.length > 2 && (path[0] === 'agents' || path[0] === 'threads');
    return !isName && looksSensitive(key);
  });
}

function looksSensitive(key: string): boolean {
  return /^env(ironment)?$/i.test(key) || CREDENTIAL.test(key);
}

/** Whether a string is too long to be printed. */
export function isTooLongToPrint(value: string): boolean {
  return value.length > LONGEST_PRINTED_STRING;
}

/** The received value for a message: as JSON, or only its type where it could be a credential. */
export function printReceived(path: ConfigPath, value: unknown): string {
  if (isSensitive(path)) return typeOf(value);
  if (typeof value === 'string' && isTooLongToPrint(value)) return typeOf(value);
  return shorten(printValue(value, 0), LONGEST_PRINTED_VALUE);
}

function printValue(value: unknown, depth: number): string {
  if (typeof value === 'string') return isTooLongToPrint(value) ? '"…"' : printString(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (typeof value !== 'object' || !isPlain(value)) return typeOf(value);
  if (depth >= 3) return '…';
  if (Array.isArray(value)) {
    return `[${value
      .slice(0, 10)
      .map((item) => printValue(item, depth + 1))
      .join(',')}]`;
  }
  const members = Object.entries(value)
    .slice(0, 10)
    .map(([key, item]) => {
      return `${printString(key)}:${looksSensitive(key) ? '"…"' : printValue(item, depth + 1)}`;
    });
  return `{${members.join(',')}}`;
}

/** A string as JSON, with what could confuse a terminal left out. */
function printString(value: string): string {
  return plainText(JSON.stringify(value));
}

/** A text on one line, with `?` for each character that a terminal would obey instead of print. */
export function plainText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** The name of an agent, pool or key for a message: as JSON, cut when nobody could read it. */
export function printName(name: string): string {
  return printString(shorten(name, LONGEST_PRINTED_VALUE));
}

/** A path as a person would write it: `agents.billing.secrets["api key"]`. */
export function printPath(path: ConfigPath): string {
  if (path.length === 0) return '(root)';
  return path.reduce<string>((printed, key) => {
    if (typeof key === 'number') return `${printed}[${key}]`;
    if (!/^[\w$-]{1,60}$/.test(key)) return `${printed}[${printName(key)}]`;
    return printed === '' ? key : `${printed}.${key}`;
  }, '');
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The type of a value in words: `a string`, `an array`. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof URL) return 'a URL';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
