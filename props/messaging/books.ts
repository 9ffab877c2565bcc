import { isDeepStrictEqual } from 'node:util';
import type { DeadLetter } from 'holdfast';
import { openLog } from '../log.ts';
import { SENDERS, type Plan } from './plan.ts';
import type { Correspondent, Post, Sent } from './post.ts';

export interface Books {
  /** What is not as it has to be, in words. */
  readonly faults: readonly string[];
  /** How often what happened. */
  readonly counts: ReadonlyMap<string, number>;
}

type Fate = 'handled' | DeadLetter['reason'];

/** What a sender may hear, by what became of its event. Of a `send` nothing is heard. */
const HEARD: Readonly<Partial<Record<Fate, readonly string[]>>> = {
  // The turn was over, and yet its confirmation may have died with the thread or come too late.
  handled: ['confirmed', 'THREAD_CRASHED', 'ASK_TIMEOUT', 'failed on purpose'],
  poison: ['THREAD_CRASHED'],
  'mailbox-full': ['MAILBOX_FULL', 'ASK_TIMEOUT'],
  stopped: ['AGENT_STOPPED', 'ASK_TIMEOUT'],
  expired: ['ASK_TIMEOUT'],
};

/** Compares what was sent with what was handled, refused, told and counted. */
export function judge(post: Post, { capacity }: Plan): Books {
  const { sent, letters, all, runtime } = post;
  const status = runtime.status();
  const counts = new Map<string, number>();
  const faults: string[] = [];
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  if (status.deadLetters !== letters.length)
    faults.push(`${letters.length} dead letters, ${status.deadLetters} counted`);

  for (const correspondent of all) {
    const { address, log, stopped } = correspondent;
    const mine = sent.filter((one) => one.address === address);
    const handled = openLog(log)
      .read()
      .map(({ n }) => n);
    const dead = new Map(
      letters
        .filter((letter) => letter.address === address)
        .map((letter) => [numberOf(letter), letter.reason]),
    );
    const running = status.instances.find((instance) => instance.address === address);
    const over = stopped || running === undefined;
    faults.push(...wholeFaults(post, correspondent, handled, mine));
    if (running !== undefined && (running.handled !== handled.length || running.mailbox !== 0)) {
      faults.push(`${address}: ${handled.length} handled, its status says ${JSON.stringify(running)}`);
    }
    const done = new Set(handled);
    for (const one of mine) {
      const fate = done.has(one.n) ? 'handled' : (dead.get(one.n) as Fate);
      for (const what of [one.manner, fate, `${one.how}: ${one.outcome}`]) count(what);
      if (!fits(one, fate, { over, crowded: mine.length > capacity })) {
        const { n, from, how, manner, outcome } = one;
        faults.push(
          `${address}: ${how} ${manner} ${n} of sender ${from} was ${fate}, its sender heard ${outcome}`,
        );
      }
    }
  }
  return { faults, counts };
}

function wholeFaults(
  { sent, letters }: Post,
  { address }: Correspondent,
  handled: readonly number[],
  mine: readonly Sent[],
): string[] {
  const faults: string[] = [];
  const dead = letters.filter((letter) => letter.address === address).map(numberOf);
  const both = [...handled, ...dead].toSorted((x, y) => x - y);
  const numbers = mine.map(({ n }) => n);
  if (!isDeepStrictEqual(both, numbers)) {
    faults.push(`${address}: sent ${numbers.join()}; handled ${handled.join()}; dead ${dead.join()}`);
  }
  for (let from = 0; from < SENDERS; from++) {
    const order = handled.filter((n) => sent[n]?.from === from);
    if (order.some((n, i) => n < (order[i - 1] ?? -1))) {
      faults.push(`${address}: handled those of sender ${from} in the order ${order.join()}`);
    }
  }
  return faults;
}

/** Whether the reason and what the sender heard fit what happened. */
function fits(
  { how, manner, timeoutMs, outcome }: Sent,
  fate: Fate,
  { over, crowded }: { readonly over: boolean; readonly crowded: boolean },
): boolean {
  if (how === 'send' ? outcome !== 'untold' : !HEARD[fate]?.includes(outcome)) return false;
  // One that ends its thread is never handled, and no other is in hand when a thread ends.
  if (manner === 'exit' && fate === 'handled') return false;
  if (fate === 'poison') return manner === 'exit';
  if (fate === 'mailbox-full') return crowded;
  if (fate === 'stopped') return over;
  if (fate === 'expired') return how !== 'send' && timeoutMs === 5;
  return fate === 'handled';
}

function numberOf({ event }: DeadLetter): number {
  return (event as { n: number }).n;
}
