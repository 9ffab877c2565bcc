import { exit } from 'node:process';
import { fromTransition, type AnyEventObject } from 'xstate';
import { agentRef, replyTo, self, sender } from 'holdfast/agent';
import { openBooks, type Books } from '../books.ts';
import { NOTHING, withNumber, type Digest } from '../digest.ts';
import { indexOf, MEMBERS, type FaultKind } from '../roster.ts';

/** What the host sends, and the agents each other. */
export interface Letter extends AnyEventObject {
  readonly type: 'note' | 'slow' | 'relay' | FaultKind;
  readonly n: number;
  /** Only of a `relay`: notes for others, in turn from that member on. */
  readonly first?: number;
  readonly times?: number;
  readonly manner?: 'send' | 'deliver' | 'ask';
}

export interface State {
  readonly memory: SharedArrayBuffer;
  readonly digest: Digest;
}

let shared: Books | undefined;
const owners = new WeakMap<object, number>();

/** Keeps the books, tells others, and comes to harm when it is told to. */
export default fromTransition(
  (state: State, event: Letter, { self: actor }) => {
    // XState hands its own stop to reducers too.
    if (typeof event.n !== 'number') return state;
    const { n } = event;
    const books = (shared ??= openBooks(state.memory));
    const member = indexOf(self()?.address ?? '');
    const owner = owners.get(actor) ?? books.take(member);
    owners.set(actor, owner);
    books.checkOwner(member, owner);
    books.begun(n);
    act(event, books);
    replyTo(event, n);
    books.done(n);
    if (event.type === 'fail') throw failure(books);
    return sender() === undefined ? { ...state, digest: withNumber(state.digest, n) } : state;
  },
  ({ input }: { input: { memory: SharedArrayBuffer } }) => ({ memory: input.memory, digest: NOTHING }),
);

function failure(books: Books): Error {
  books.fired('fail');
  return new Error('a turn failed on purpose');
}

function act(event: Letter, books: Books): void {
  const later = (kind: FaultKind, act: () => void): void => {
    setTimeout(() => {
      books.fired(kind);
      act();
    }, 2);
  };
  switch (event.type) {
    case 'relay':
      return relay(event, books);
    case 'slow':
      for (const end = performance.now() + 2; performance.now() < end;);
      return;
    case 'exit':
      books.fired('exit');
      return exit(1);
    case 'hang':
      books.fired('hang');
      for (;;);
    case 'hang.later':
      return later('hang.later', () => {
        for (;;);
      });
    case 'fill':
      books.fired('fill');
      return fill();
    case 'reject':
      books.fired('reject');
      void Promise.reject(new Error('rejected on purpose'));
      return;
    case 'throw.later':
      return later('throw.later', () => {
        throw new Error('thrown in a timer on purpose');
      });
    case 'note':
    case 'fail':
  }
}

/** In small pieces: one that is huge would end the whole process. */
function fill(): never {
  const kept: unknown[] = [];
  for (;;) kept.push(Array.from({ length: 1000 }, (_, n) => ({ n })));
}

function relay({ first = 0, times = 0, manner = 'send' }: Letter, books: Books): void {
  for (let i = 0; i < times; i++) {
    const to = (first + i) % MEMBERS.length;
    const n = books.claim(to);
    if (n < 0) return;
    const note = { type: 'note', n };
    const ref = agentRef(MEMBERS[to]?.address as string);
    if (manner === 'send') ref.send(note);
    else ref[manner](note, { timeoutMs: 3000 }).catch(() => {});
    books.sent(n);
  }
}
