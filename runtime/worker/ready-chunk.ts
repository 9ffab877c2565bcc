import { HoldfastError } from '../base/errors.ts';
import { bytesIn, measure, measureFlat } from '../mailbox/size.ts';
import { markOf } from '../mailbox/transfer.ts';
import { safeCopy } from '../wire/errors.ts';
import { findErrors, type ErrorsWithin } from '../wire/errors-within.ts';
import { sharedMemoryAdvice } from '../wire/shared-memory.ts';
import { whyUnclonable } from '../wire/unclonable.ts';

/** A chunk that is sure to cross. */
export interface ReadyChunk {
  readonly value: unknown;
  readonly bytes: number;
  /** The errors in it, with what structured clone would drop of them. */
  readonly errors?: ErrorsWithin | undefined;
}

/** What the pool of the writer allows. */
export interface ChunkPool {
  readonly threadId: string;
  readonly sharedMemory: boolean;
}

/**
 * Makes a chunk ready to cross. It is copied at once, so that its writer may use it again; what `transfer()` marks moves out
 * of it.
 *
 * @throws {HoldfastError} `REPLY_UNCLONABLE`, `MESSAGE_TOO_LARGE`
 */
export function readyChunk(chunk: unknown, limit: number, pool: ChunkPool): ReadyChunk {
  if (typeof chunk === 'function' || typeof chunk === 'symbol') throw unclonable(whyUnclonable(chunk));
  try {
    const bytes = measureFlat(chunk, limit);
    if (bytes !== undefined) {
      if (bytes > limit) throw tooLarge(limit);
      return { value: typeof chunk === 'object' && chunk !== null ? { ...chunk } : chunk, bytes };
    }
    const size = measure(chunk, limit, pool.sharedMemory);
    if (size === 'shared') throw unclonable(sharedMemoryAdvice(pool.threadId));
    if (size === 'too-large') throw tooLarge(limit);
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw unclonable(whyUnclonable(chunk));
  }
  const moving = movingBytes(chunk);
  if (moving > limit) throw tooLarge(limit);
  const errors = findErrors(chunk);
  const clone = safeCopy(chunk);
  const bytes = clone && bytesIn(measure(clone.copy, Infinity));
  if (bytes === undefined) throw unclonable(whyUnclonable(chunk));
  return { value: clone?.copy, bytes: bytes + moving, errors };
}

/** The bytes that move with a value, of which {@link measure} says nothing. */
function movingBytes(value: unknown): number {
  let bytes = 0;
  for (const item of markOf(value)?.list ?? []) if (item instanceof ArrayBuffer) bytes += item.byteLength;
  return bytes;
}

function unclonable(why: string): HoldfastError {
  return new HoldfastError('REPLY_UNCLONABLE', `the chunk cannot cross (${why}); write plain data`);
}

function tooLarge(limit: number): HoldfastError {
  return new HoldfastError(
    'MESSAGE_TOO_LARGE',
    `a chunk of a stream has at most ${limit / 1024} KiB; write it in smaller ones, or reply with a ReadableStream`,
  );
}
