import { percentile, stopwatch, type Sample } from './rounds.ts';

/** Events a producer sends before it lets others in: the same for all variants. */
export const BURST = 256;
/** Actors that the events go to in turn: the same for all variants that have actors. */
export const ACTORS = 32;

/** The event of every ask and of every task. */
export interface Add {
  readonly type: 'add';
  readonly n: number;
}

/** Answers each `add` with its `n`. */
export type Ask = (to: number, event: Add) => Promise<unknown>;

/** With many in flight only one in so many is timed: the clock would be a good part of what it measures. */
const TIMED_EVERY = 16;

/** Asks with so many in flight until there were `limit` or the time is up; every answer is checked. */
export async function asking(
  ask: Ask,
  { inFlight, limit = 100_000, forMs = 400 }: { inFlight: number; limit?: number; forMs?: number },
): Promise<Sample> {
  const every = inFlight === 1 ? 1 : TIMED_EVERY;
  const took = new Float64Array(Math.ceil(limit / every));
  let begun = 0;
  let answered = 0;
  let timed = 0;
  let over = false;
  const started = performance.now();
  const measured = stopwatch();
  const lane = async (): Promise<void> => {
    while (begun < limit && !over) {
      const n = begun++;
      const from = n % every === 0 ? performance.now() : undefined;
      const answer = await ask(n % ACTORS, { type: 'add', n });
      if (answer !== n) throw new Error(`${String(answer)} came where ${n} was asked for`);
      answered += 1;
      if (from === undefined) continue;
      const now = performance.now();
      took[timed++] = now - from;
      over = now - started > forMs;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const rate = measured(answered);
  if (answered !== begun) throw new Error(`${answered} of ${begun} asks were answered`);
  const sorted = took.subarray(0, timed).sort();
  return {
    ...rate,
    also: { p50: percentile(sorted, 0.5) * 1000, p99: percentile(sorted, 0.99) * 1000 },
  };
}

/** Where one-way events go. */
export interface Sender {
  /** The last of a burst gives a promise: it is settled when the burst was handled, as far as one can tell. */
  send(to: number, n: number, last: boolean): Promise<unknown> | undefined;
  /** Events handled so far. */
  total(): Promise<number>;
}

/** Sends until there were `limit` events or the time is up, `window` on their way at most; counts what arrived. */
export async function sending(
  sender: Sender,
  { limit = 200_000, forMs = 500, window = 4096 } = {},
): Promise<Sample> {
  const before = await sender.total();
  const started = performance.now();
  const measured = stopwatch();
  let under = 0;
  let sent = 0;
  let room: (() => void) | undefined;
  while (sent < limit && performance.now() - started < forMs) {
    for (let i = 1; i < BURST; i++, sent++) void sender.send(sent % ACTORS, sent, false);
    under += BURST;
    const handled = sender.send(sent % ACTORS, sent, true);
    sent += 1;
    void handled?.then(() => {
      under -= BURST;
      room?.();
    });
    if (under > window - BURST) await new Promise<void>((resolve) => (room = resolve));
    else await new Promise((resolve) => setImmediate(resolve));
  }
  const arrived = (await sender.total()) - before;
  const rate = measured(sent);
  if (arrived !== sent) throw new Error(`${arrived} of ${sent} events arrived`);
  return rate;
}
