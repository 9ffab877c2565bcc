import { basename } from 'node:path';
import type { EnvAssignment } from './env-assignment.ts';
import { readDotenv } from './dotenv-file.ts';

/** One as Node reads it. */
export interface EnvValue extends EnvAssignment {
  /** The package `dotenv` reads another value here, or none: whoever changes the file asks a person first. */
  readonly isDisputed: boolean;
}

const SPACE = /[ \t\n\r]*/y;
const RETURNS = /\r*/y;
const BYTE_ORDER_MARK = '\uFEFF';

/** Whether a file is an `.env` by its name: `.env.local`, `desk.env`, `env`; not `env.ts`. */
export function isEnvFile(file: string): boolean {
  const name = basename(file);
  return (
    /(?:^|\.)env(?:\.|$)/.test(name) && !/\.(?:[cm]?[jt]sx?|json5?|ya?ml|md|html|py|go|rs|rb|sh)$/.test(name)
  );
}

/**
 * The assignments of an `.env` as Node reads them (`--env-file`, `util.parseEnv`), in their order; of those with one name the last
 * counts.
 *
 * Where the package `dotenv` reads something else Node is followed, since it is always there and can be asked, and the assignment
 * is disputed. They differ about quotes behind a backslash (`"a\"b"`), about what follows a closing quote, `\r` in double quotes,
 * lone CRs, and a value or `=` that is below its name: behind `NAME= ` with a space Node takes the next line, behind `NAME=` dotenv
 * does when that is in quotes. `NAME: value` is for dotenv alone: {@link readDotenv} has that reading. Only in two things Node is
 * not followed: a byte order mark is no part of a name, and neither is the `export` of one without a value.
 */
export function readEnv(text: string): EnvValue[] {
  const others = new Map(readDotenv(text).map((one) => [one.start, one]));
  return readNode(text).map((one) => {
    const other = others.get(one.start);
    const isSame = other !== undefined && other.value === one.value && other.end === one.end;
    return Object.assign(one, { isDisputed: !isSame });
  });
}

function readNode(text: string): EnvAssignment[] {
  const found: EnvAssignment[] = [];
  const end = trimmedEnd(text, 0, text.length);
  const marks = /[=\n]/g;
  let at = past(SPACE, text, text.startsWith(BYTE_ORDER_MARK) ? 1 : 0);
  while (at < end) {
    at = past(RETURNS, text, at);
    // In some places Node passes over the white space before a `#`, in others a comment is a name then.
    if (text[at] === '\n' || text[at] === '#') {
      at = lineEnd(text, at) + 1;
      continue;
    }
    marks.lastIndex = at;
    const sign = marks.exec(text)?.index ?? end;
    if (text[sign] !== '=') {
      at = past(SPACE, text, sign);
      continue;
    }
    const start = Math.min(past(SPACE, text, at), sign);
    const name = nameIn(text, start, sign);
    const after = past(RETURNS, text, sign + 1);
    const isEmpty = after >= end || text[after] === '\n';
    at = isEmpty ? after : past(SPACE, text, after);
    if (name === '') continue;
    if (isEmpty) {
      const none = { value: '', valueStart: sign + 1, valueEnd: sign + 1 };
      found.push({ name, start, end: sign + 1, ...none });
      continue;
    }
    const { isClosed, ...value } = valueAt(text, at, end);
    const last = lineEnd(text, value.valueEnd);
    found.push({ name, start, end: beforeReturns(text, last), ...value });
    at = isClosed ? last + 1 : past(SPACE, text, last);
  }
  return found;
}

function valueAt(text: string, at: number, end: number) {
  const quote = text.charAt(at);
  const isQuoted = quote === '"' || quote === "'" || quote === '`';
  const closing = isQuoted ? text.indexOf(quote, at + 1) : -1;
  if (closing >= 0) {
    const raw = text.slice(at + 1, closing).replaceAll('\r', '');
    const value = quote === '"' ? raw.replaceAll(String.raw`\n`, '\n') : raw;
    return { value, valueStart: at + 1, valueEnd: closing, isClosed: true };
  }
  const line = Math.min(lineEnd(text, at), end);
  const comment = isQuoted ? -1 : text.slice(at, line).indexOf('#');
  const valueEnd = isQuoted
    ? beforeReturns(text, line)
    : trimmedEnd(text, at, comment < 0 ? line : at + comment);
  const value = text.slice(at, valueEnd).replaceAll('\r', '');
  return { value, valueStart: at, valueEnd, isClosed: false };
}

function nameIn(text: string, start: number, sign: number): string {
  const name = text.slice(start, trimmedEnd(text, start, sign)).replaceAll('\r', '');
  if (!name.startsWith('export ')) return name;
  return name.slice(past(SPACE, name, 'export '.length));
}

function past(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function beforeReturns(text: string, at: number): number {
  let end = at;
  while (text[end - 1] === '\r') end -= 1;
  return end;
}

function trimmedEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && ' \t\n\r'.includes(text.charAt(at - 1))) at -= 1;
  return at;
}
