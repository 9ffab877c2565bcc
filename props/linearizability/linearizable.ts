import type { Model, Operation } from './history.ts';

/** An operation begins or ends here; entries of a history are a list in the order of time. */
interface Entry {
  readonly operation: number;
  /** Undefined: this is the end. */
  readonly end: Entry | undefined;
  previous: Entry | undefined;
  next: Entry | undefined;
}

export type Verdict =
  | { readonly kind: 'linearizable' }
  /** `longest`: the most operations, by their places in the history, that can be brought into an order. */
  | { readonly kind: 'wrong'; readonly longest: readonly number[] }
  /** It was given up. */
  | { readonly kind: 'unknown' };

/** Steps for one history: some seconds, and far more than any needs in which few outcomes are unknown. */
const MOST_STEPS = 20_000_000;

/**
 * Whether there is an order of all operations that one client alone could have seen, in which none stands before one that had ended
 * when it began. That is the algorithm of Wing and Gong with the cache of Lowe, as Porcupine has it: an operation is put
 * next where its output allows it, and the last one is taken back where none goes on; a set of operations that led to a state
 * once is not tried again.
 */
export function checkHistory<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  mostSteps = MOST_STEPS,
): Verdict {
  const head = listOf(history);
  const done = new Uint32Array(Math.ceil(history.length / 32));
  const seen = new Set<string>();
  const taken: { readonly entry: Entry; readonly before: State }[] = [];
  let longest: number[] = [];
  let { initial: state } = model;
  let entry = head.next;
  /** Those that have to be done: of others nobody knows. */
  let left = history.filter((one) => one.return !== Infinity).length;
  for (let steps = 0; left > 0; steps++) {
    if (steps === mostSteps) return { kind: 'unknown' };
    if (entry?.end !== undefined) {
      const { operation } = entry;
      const { input, output, return: end } = history[operation] as Operation<Input, Output>;
      const after = model.step(state, input, output);
      if (after !== undefined) {
        flip(done, operation);
        const known = `${done.join()};${model.key(after.state)}`;
        if (!seen.has(known)) {
          seen.add(known);
          taken.push({ entry, before: state });
          ({ state } = after);
          lift(entry);
          if (end !== Infinity) left -= 1;
          entry = head.next;
          continue;
        }
        flip(done, operation);
      }
      entry = entry.next;
      continue;
    }
    // Here one has ended that is not done, or the list is over: the last one was wrong where it stands.
    if (taken.length > longest.length) longest = taken.map((one) => one.entry.operation);
    const last = taken.pop();
    if (last === undefined) return { kind: 'wrong', longest };
    state = last.before;
    flip(done, last.entry.operation);
    unlift(last.entry);
    if (history[last.entry.operation]?.return !== Infinity) left += 1;
    entry = last.entry.next;
  }
  return { kind: 'linearizable' };
}

function flip(bits: Uint32Array, at: number): void {
  bits[at >>> 5] = (bits[at >>> 5] as number) ^ (1 << (at & 31));
}

/** The list of all beginnings and ends, behind a head. What begins when another ends may come before it. */
function listOf(history: readonly Operation<unknown, unknown>[]): Entry {
  const at: { readonly time: number; readonly entry: Entry }[] = [];
  for (const [operation, { call, return: ended }] of history.entries()) {
    const end: Entry = { operation, end: undefined, previous: undefined, next: undefined };
    at.push({ time: call, entry: { operation, end, previous: undefined, next: undefined } });
    at.push({ time: ended, entry: end });
  }
  at.sort((a, b) => {
    if (a.time !== b.time) return a.time - b.time;
    return Number(a.entry.end === undefined) - Number(b.entry.end === undefined);
  });
  const head: Entry = { operation: -1, end: undefined, previous: undefined, next: undefined };
  let last = head;
  for (const { entry } of at) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

/** Takes an operation out of the list. */
function lift(entry: Entry): void {
  for (const one of [entry, entry.end as Entry]) {
    (one.previous as Entry).next = one.next;
    if (one.next !== undefined) one.next.previous = one.previous;
  }
}

/** Puts it back where it was, the end first. */
function unlift(entry: Entry): void {
  for (const one of [entry.end as Entry, entry]) {
    (one.previous as Entry).next = one;
    if (one.next !== undefined) one.next.previous = one;
  }
}
