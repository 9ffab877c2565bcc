import type { ResolvedPool } from '../config/resolve.ts';
import { refusal, unclonableAdvice } from '../dead-letters/refusal.ts';
import type { Question } from '../instance/berth.ts';
import type { CarriedAsk } from '../wire/protocol.ts';
import { isCarriedAsk, isListOf, isPersistedState, isWireSnapshot } from '../wire/shapes.ts';
import { sharesMemory, withoutShared } from '../wire/shared-memory.ts';
import { toUnshared, type WireSnapshot } from '../wire/snapshot.ts';
import type { Seat } from './seat.ts';
import type { ThreadCalls } from './thread-calls.ts';

/** The check of a thread's answer, by question. */
const ANSWERS: Readonly<Record<Question, (answer: unknown) => answer is unknown>> = {
  snapshot: isWireSnapshot,
  persist: isPersistedState,
  can: (answer: unknown): answer is boolean => typeof answer === 'boolean',
  putOff: (answer: unknown): answer is readonly CarriedAsk[] => isListOf(answer, isCarriedAsk),
};

/** Asks an instance in its thread; the answer has the right shape, and shares no memory unless the pool allows it. */
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
