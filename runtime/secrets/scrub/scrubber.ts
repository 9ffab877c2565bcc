import type { Scrubbing } from '../../base/scrubbing.ts';
import { isAscii } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { encodings } from './encodings.ts';
import { findCarrier, type PathTo } from './found-parts.ts';
import { knownParts } from './known-parts.ts';
import { PatternIndex, SHORTEST } from './pattern-index.ts';
import { REDACTED, redactedCopy } from './redacted-copy.ts';
import { readingsOf } from './unescape.ts';
import { isWorthReading, spansIn } from './value-spans.ts';
import { byteStream, textStream, type ScrubStream } from './scrub-stream.ts';
import { privateCopy } from '../values/vault.ts';

/**
 * The scrubber: knows the values of secrets, and takes them out of what leaves the runtime. Each occurrence of one, as
 * itself, base64, base64url, hex or a list of bytes, and each of these in escapes of URLs, JSON, program texts or
 * HTML, up to three in each other, becomes `<redacted:secret>`. Without secrets it costs one branch. It does not know
 * parts of a value, other encodings, or values shorter than 8 bytes.
 *
 * It holds its patterns as bytes in memory of their own, which are overwritten with zeros when they go.
 */
export interface Scrubber extends Scrubbing {
  /**
   * A value has come into the host; `bytes` stay the caller's. The value is searched for while it is held ({@link
   * Scrubber.hold}), and 24 h more.
   */
  learn(key: string, versionId: string, bytes: Uint8Array): void;
  /** A grant is for that field of the secret, or for the whole of it, which must not be seen from then on. */
  cover(key: string, jsonKey: string | undefined): void;
  /**
   * These versions of a secret are held now, and no others. A version that is held no longer may still be in use
   * somewhere: it is old from now on, and searched for during 24 h more; at most the last eight old versions are.
   */
  hold(key: string, versionIds: readonly string[]): void;
  /** Wipes everything. After that nothing is known, and nothing is learned. */
  close(): void;
  contains(found: unknown): boolean;
  /** Takes values out of bytes that come in chunks, wherever they are cut. */
  stream(this: void): ScrubStream<Uint8Array>;
  /** Takes values out of one text that comes in chunks. */
  textStream(this: void): ScrubStream<string>;
  /** Whether that version is searched for. */
  knows(key: string, versionId: string): boolean;
  /** The path to the first value in `found`, itself without values; undefined when there is none. */
  find(this: void, found: unknown): PathTo | undefined;
  /** The number of versions that are searched for. */
  readonly size: number;
  /** Rises when there is more to search for than before: what was found to be without values may have one now. */
  readonly learned: number;
}

/** Milliseconds for which an old version is searched for: longer than any agent is likely to have it. */
const OLD_MS = 24 * 60 * 60 * 1000;
/** The most old versions of one secret. A rotation more often than every three hours is no rotation. */
const OLD_VERSIONS = 8;
/**
 * The bytes at the head of a longer value that are searched for; the text that follows them is taken for the rest of
 * the value.
 */
const HEAD = 1024;

interface Version {
  readonly versionId: string;
  readonly bytes: Buffer;
  /** Undefined until they are searched for, and when another field is granted. */
  patterns: Uint16Array[] | undefined;
  /** Undefined while the version is held. */
  oldSince: number | undefined;
}

interface Known {
  readonly granted: Set<string | undefined>;
  /** The newest is the last. */
  versions: Version[];
}

/**
 * Creates a scrubber. With `inPacked` it also looks into the base64 and hex of a text, for values that are encoded
 * once more there. That takes longer. `head` is the number of bytes of a longer value that are searched for.
 */
export function createScrubber(
  clock: Pick<Clock, 'now'>,
  { inPacked = false, head = HEAD }: { readonly inPacked?: boolean; readonly head?: number } = {},
): Scrubber {
  const secrets = new Map<string, Known>();
  /** The patterns that are heads of longer values. */
  const heads = new WeakSet<Uint16Array>();
  let index: PatternIndex | undefined;
  let size = 0;
  let learned = 0;
  /** No version became old before: until that is too long ago, there are none to drop but those of the secret at hand. */
  let oldest = Infinity;
  let closed = false;

  const known = (key: string): Known => {
    const found = secrets.get(key) ?? { granted: new Set(), versions: [] };
    secrets.set(key, found);
    return found;
  };

  const forgetPatterns = (version: Version): void => {
    for (const pattern of version.patterns ?? []) pattern.fill(0);
    version.patterns = undefined;
    index = undefined;
  };

  const drop = (version: Version): void => {
    version.bytes.fill(0);
    forgetPatterns(version);
    size -= 1;
  };

  /** Drops what is too old of one secret. */
  const dropOldOf = (key: string, since: number): void => {
    const { granted, versions } = known(key);
    const old = versions.filter(({ oldSince }) => oldSince !== undefined);
    const kept = versions.filter((version) => {
      const { oldSince } = version;
      if (oldSince === undefined) return true;
      if (oldSince >= since && old.indexOf(version) >= old.length - OLD_VERSIONS) {
        oldest = Math.min(oldest, oldSince);
        return true;
      }
      drop(version);
      return false;
    });
    if (kept.length === 0 && granted.size === 0) secrets.delete(key);
    else if (kept.length < versions.length) known(key).versions = kept;
  };

  const patternsOf = (bytes: Buffer, granted: Known['granted']): Uint16Array[] => {
    const patterns: Uint16Array[] = [];
    for (const part of knownParts(bytes, granted)) {
      const long = part.length > head;
      for (const form of encodings(long ? headOf(part, head) : part)) {
        for (const pattern of unitsOf(form)) {
          if (long) heads.add(pattern);
          patterns.push(pattern);
        }
        form.fill(0);
      }
      part.fill(0);
    }
    return patterns;
  };

  const indexed = (): PatternIndex =>
    (index ??= new PatternIndex(
      [...secrets.values()].flatMap(({ versions, granted }) =>
        versions.flatMap((version) => (version.patterns ??= patternsOf(version.bytes, granted))),
      ),
      (pattern) => heads.has(pattern),
      [...secrets.values()].some(({ versions }) => versions.some(({ bytes }) => bytes.includes(0x20))),
    ));

  const patternsNow = (): PatternIndex | undefined => (size === 0 ? undefined : indexed());

  const carries = (text: string): boolean => {
    if (text.length < SHORTEST) return false;
    const patterns = indexed();
    if (patterns.find(text) !== undefined) return true;
    if (!isWorthReading(text, patterns, inPacked)) return false;
    for (const reading of readingsOf(text, patterns, inPacked))
      if (patterns.find(reading.text) !== undefined) return true;
    return false;
  };

  const scrubText = (text: string): string => {
    if (size === 0 || text.length < SHORTEST) return text;
    const spans = spansIn(text, indexed(), inPacked);
    if (spans.length === 0) return text;
    let scrubbed = '';
    let done = 0;
    for (const { start, end } of spans) {
      // Other matches may begin within one, and end behind it.
      if (start >= done) scrubbed += text.slice(done, start) + REDACTED;
      done = Math.max(done, end);
    }
    return scrubbed + text.slice(done);
  };

  return {
    learn(key, versionId, bytes) {
      if (closed || bytes.byteLength < SHORTEST) return;
      const secret = known(key);
      const again = secret.versions.find((one) => one.versionId === versionId && isEqual(one.bytes, bytes));
      if (again !== undefined) {
        again.oldSince = undefined;
        return;
      }
      const version: Version = {
        versionId,
        bytes: privateCopy(bytes),
        patterns: undefined,
        oldSince: undefined,
      };
      index = undefined;
      size += 1;
      learned += 1;
      secret.versions.push(version);
    },

    cover(key, jsonKey) {
      const { granted, versions } = known(key);
      if (closed || granted.has(jsonKey)) return;
      granted.add(jsonKey);
      learned += 1;
      for (const version of versions) forgetPatterns(version);
    },

    hold(key, versionIds) {
      const at = clock.now();
      for (const version of secrets.get(key)?.versions ?? []) {
        if (versionIds.includes(version.versionId)) version.oldSince = undefined;
        else version.oldSince ??= at;
      }
      const since = at - OLD_MS;
      if (oldest >= since) return dropOldOf(key, since);
      oldest = Infinity;
      for (const each of secrets.keys()) dropOldOf(each, since);
    },

    close() {
      closed = true;
      for (const { versions } of secrets.values()) for (const version of versions) drop(version);
      secrets.clear();
    },

    scrubText,

    scrub<T>(found: T): T {
      if (size === 0) return found;
      if (typeof found === 'string') return scrubText(found) as T;
      const path = findCarrier(found, carries);
      if (path === undefined) return found;
      // No part of it was found, or it is too large to search.
      if (path.length === 0) return REDACTED as T;
      return redactedCopy(found, { scrubText, carries }) as T;
    },

    stream: () => byteStream(patternsNow),

    textStream: () => textStream(patternsNow),

    knows: (key, versionId) =>
      secrets.get(key)?.versions.some((version) => version.versionId === versionId) === true,

    contains: (found) => size > 0 && findCarrier(found, carries) !== undefined,

    find: (found) => (size === 0 ? undefined : findCarrier(found, carries)?.map(scrubText)),

    get size() {
      return size;
    },

    get learned() {
      return learned;
    },
  };
}

/** The head ends with a whole character, if the value is text. */
function headOf(part: Buffer, head: number): Buffer {
  let end = head;
  while (end > head - 3 && ((part[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return part.subarray(0, end);
}

function isEqual(held: Buffer, bytes: Uint8Array): boolean {
  return held.length === bytes.byteLength && timingSafeEqual(held, bytes);
}

/**
 * The units in which text may have a form, in UTF-16: each byte as a character (latin1), and the text of the form in
 * UTF-8.
 */
function unitsOf(form: Buffer): Uint16Array[] {
  const latin1 = new Uint16Array(form);
  if (isAscii(form)) return [latin1];
  const decoded = new Uint16Array(form.length);
  let length = 0;
  try {
    // One character at a time, because a string of all of them could not be wiped.
    for (let at = 0; at < form.length;) {
      const bytes = utf8Length(form[at] ?? 0);
      for (const unit of strictUtf8.decode(form.subarray(at, at + bytes)).split('')) {
        decoded[length++] = unit.charCodeAt(0);
      }
      at += bytes;
    }
  } catch {
    return [latin1];
  }
  const utf8 = decoded.slice(0, length);
  decoded.fill(0);
  return length >= SHORTEST ? [latin1, utf8] : [latin1];
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8Length(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
