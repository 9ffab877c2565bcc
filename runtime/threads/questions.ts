import type { ResolvedPool } from '../config/resolve.ts';
import { refusal, unclonableAdvice } from '../dead-letters/refusal.ts';
import type { Question } from '../instance/berth.ts';
import type { CarriedAsk } from '../wire/protocol.ts';
import { isCarriedAsk, isListOf, isPersistedState, isWireSnapshot } from '../wire/shapes.ts';
import { sharesMemory, withoutShared } from '../wire/shared-memory.ts';
import { toUnshared, type WireSnapshot } from '../wire/snapshot.ts';
import type { Seat } from './seat.ts';
import type { ThreadCalls } from './thread-calls.ts';

/** What a thread may answer to a question of an instance. */
const ANSWERS: Readonly<Record<Question, (answer: unknown) => answer is unknown>> = {
  snapshot: isWireSnapshot,
  persist: isPersistedState,
  can: (answer: unknown): answer is boolean => typeof answer === 'boolean',
  putOff: (answer: unknown): answer is readonly CarriedAsk[] => isListOf(answer, isCarriedAsk),
};

/** Puts a question to an instance in its thread; what comes back is what an answer to it is to be, and shares no memory unasked. */
export async function askInstance(
  seat: Seat,
  question: Question,
  args: readonly unknown[],
  { pool, calls }: { readonly pool: ResolvedPool; readonly calls: Pick<ThreadCalls, 'answer'> },
): Promise<unknown> {
  withoutShared(args, pool, 'MESSAGE_UNCLONABLE', `what ${question}() was given`);
  const { address } = seat.instance;
  const answer = await calls.answer<unknown>(question, ANSWERS[question], [seat.slot, ...args], (error) =>
    refusal(address, 'unclonable', error, unclonableAdvice(args[0])),
  );
  if (question === 'snapshot' && !pool.sharedMemory && sharesMemory(answer)) {
    return toUnshared(answer as WireSnapshot);
  }
  return withoutShared(answer, pool, 'REPLY_UNCLONABLE', `what ${question}() gives`);
}
