import type { ResolvedPool } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { Ack } from '../mailbox/outbox.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Seats } from './seats.ts';
import { sharedMemoryAdvice, sharesMemory } from '../wire/shared-memory.ts';
import { decodeError, type WireError } from '../wire/errors.ts';
import { wholeAnswer } from '../wire/errors-within.ts';

export interface ThreadAnswersOptions {
  readonly waiting: Waiting;
  readonly pool: ResolvedPool;
  readonly seats: Seats;
}

/**
 * Resolves and rejects the asks that an ack answers, except asks of other pools, which this thread may not answer. Reading
 * a list stops at the first item that is not a tag, since a list that a thread made up may have four thousand million holes.
 * Returns `false` when a list stops before its end.
 */
export function takeAnswers(
  [, tags = [], values = [], failed = [], deferred = [], more = []]: Ack,
  { waiting, pool, seats }: ThreadAnswersOptions,
): boolean {
  const { threadId } = pool;
  const heard = (tag: Tag): boolean => waiting.isOf(tag, threadId) && !seats.isRetracted(tag);
  let i = 0;
  for (; typeof tags[i] === 'number'; i++) {
    const tag = tags[i] as Tag;
    if (!heard(tag)) continue;
    const answer = wholeAnswer(tag, values[i], more);
    // Checked here, since a thread is not believed; one look is enough, and costs nothing for a primitive.
    if (pool.sharedMemory || !sharesMemory(answer)) waiting.resolve(tag, answer);
    else waiting.reject(tag, sharedReply(threadId));
  }
  let isWhole = i === tags.length && values.length === tags.length;
  for (i = 0; typeof failed[i] === 'number' && i + 1 < failed.length; i += 2) {
    const tag = failed[i] as Tag;
    if (!heard(tag)) continue;
    if (failed[i + 1] === null) waiting.expire(tag);
    else waiting.reject(tag, decodeError(failed[i + 1] as WireError));
  }
  isWhole &&= i === failed.length;
  for (i = 0; typeof deferred[i + 1] === 'number'; i += 2) {
    const tag = deferred[i + 1] as Tag;
    const seat = seats.at(deferred[i] as number);
    if (heard(tag)) {
      if (seat !== undefined) (seat.deferred ??= new Set()).add(tag);
      waiting.putOff(tag, seat);
      // Nobody waits any more, and what the instance has begun for it may end.
    } else if (waiting.ownerOf(tag) === undefined) seat?.credit(tag, -1);
  }
  seats.answersTaken();
  return isWhole && i === deferred.length;
}

function sharedReply(threadId: string): HoldfastError {
  return new HoldfastError('REPLY_UNCLONABLE', `the reply cannot cross: ${sharedMemoryAdvice(threadId)}`);
}
