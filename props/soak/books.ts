import { FAULTS, MEMBERS, type FaultKind } from './roster.ts';

/**
 * The books, in memory that all threads share and that outlives them: what was sent to whom, whose turn began and came
 * to its end, which faults fired, and who owns an address.
 */
export interface Books {
  /** The next number, for an event to that member; -1 when the books are full. The event is not sent yet. */
  claim(to: number): number;
  /** It was handed to the runtime. */
  sent(n: number): void;
  begun(n: number): void;
  done(n: number): void;
  fired(kind: FaultKind): void;
  /** `owner` is what has the address from now on. */
  take(member: number): number;
  /** Another incarnation has the address and yet this one has a turn. */
  checkOwner(member: number, owner: number): void;
  readonly total: number;
  readonly doubles: number;
  firings(kind: FaultKind): number;
  of(n: number): Page;
}

/** What the books say of one event. */
export interface Page {
  readonly to: number;
  /** `claimed`: its thread was ended before it could say whether it had sent it. */
  readonly state: 'claimed' | 'sent';
  readonly begun: number;
  readonly done: number;
}

const [NEXT, OWNERS, DOUBLES] = [0, 1, 2];
const FIRED = 3;
const OWNER = FIRED + FAULTS.length;
const HEADER = OWNER + MEMBERS.length;

export function createBooks(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * HEADER + 4 * capacity);
}

export function openBooks(memory: SharedArrayBuffer): Books {
  const head = new Int32Array(memory, 0, HEADER);
  const capacity = (memory.byteLength - 4 * HEADER) / 4;
  const column = (i: number): Uint8Array => new Uint8Array(memory, 4 * HEADER + i * capacity, capacity);
  const [to, state, begun, done] = [column(0), column(1), column(2), column(3)];
  const firedAt = (kind: FaultKind): number => FIRED + FAULTS.indexOf(kind);
  return {
    claim(member) {
      const n = Atomics.add(head, NEXT, 1);
      if (n >= capacity) {
        Atomics.sub(head, NEXT, 1);
        return -1;
      }
      Atomics.store(to, n, member);
      Atomics.store(state, n, 1);
      return n;
    },
    sent: (n) => void Atomics.store(state, n, 2),
    begun: (n) => void Atomics.add(begun, n, 1),
    done: (n) => void Atomics.add(done, n, 1),
    fired: (kind) => void Atomics.add(head, firedAt(kind), 1),
    take(member) {
      const owner = Atomics.add(head, OWNERS, 1) + 1;
      Atomics.store(head, OWNER + member, owner);
      return owner;
    },
    checkOwner(member, owner) {
      if (Atomics.load(head, OWNER + member) !== owner) Atomics.add(head, DOUBLES, 1);
    },
    get total() {
      return Math.min(capacity, Atomics.load(head, NEXT));
    },
    get doubles() {
      return Atomics.load(head, DOUBLES);
    },
    firings: (kind) => Atomics.load(head, firedAt(kind)),
    of: (n) => ({
      to: to[n] as number,
      state: Atomics.load(state, n) === 2 ? 'sent' : 'claimed',
      begun: Atomics.load(begun, n),
      done: Atomics.load(done, n),
    }),
  };
}
