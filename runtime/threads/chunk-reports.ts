import { HoldfastError } from '../base/errors.ts';
import type { ResolvedPool } from '../config/resolve.ts';
import { bytesIn, measure } from '../mailbox/size.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import { restoreErrors, type ErrorsWithin } from '../wire/errors-within.ts';
import { sharedMemoryAdvice } from '../wire/shared-memory.ts';
import { isChunksReport } from '../wire/shapes.ts';
import type { Seat } from './seat.ts';
import type { Seats } from './seats.ts';

export interface ChunkReportsOptions {
  readonly pool: ResolvedPool;
  readonly seats: Pick<Seats, 'isRetracted'>;
  readonly waiting: Pick<Waiting, 'isOf' | 'ownerOf' | 'streamOf' | 'reject'>;
  /** Called when something malformed was left out. */
  readonly violated: (what: string, fields?: object) => void;
}

/**
 * Passes chunks to the reader of their ask, except to those of other pools. What cannot be passed fails its stream, which
 * must not have a hole. A stream that nobody reads any more is ended in the thread.
 */
export function takeChunks(
  payload: unknown,
  withErrors: boolean,
  seat: Seat | undefined,
  { pool, seats, waiting, violated }: ChunkReportsOptions,
): void {
  if (!isChunksReport(payload, withErrors))
    return violated(`a malformed report (${withErrors ? 'chunkWithErrors' : 'chunks'})`);
  if (seat === undefined || !seat.instance.holds(seat)) return;
  const [tag, told, ...chunks] = payload;
  if (!waiting.isOf(tag, pool.threadId) || seats.isRetracted(tag)) {
    if (waiting.ownerOf(tag) === undefined) seat.credit(tag, -1);
    return;
  }
  const reader = waiting.streamOf(tag);
  const { address } = seat.instance;
  if (reader === undefined) return violated('a chunk for an ask that reads none', { address });
  const size = measure(chunks, Infinity, pool.sharedMemory);
  if (size === 'shared') {
    const message = `${address}: a chunk cannot cross: ${sharedMemoryAdvice(pool.threadId)}`;
    return waiting.reject(tag, new HoldfastError('REPLY_UNCLONABLE', message));
  }
  const whole = withErrors ? [restoreErrors(chunks[0], chunks[1] as ErrorsWithin)] : chunks;
  const wrong = reader.take(seat, whole, told, bytesIn(size) ?? Infinity);
  if (wrong === undefined) return;
  violated(wrong, { address });
  const message = `${address}: its thread sent ${wrong}; ask again`;
  waiting.reject(tag, new HoldfastError('STREAM_INTERRUPTED', message));
}
