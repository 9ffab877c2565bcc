import type { AgentRef, DeadLetter } from 'holdfast';
import type { Letter } from './agents/subject.ts';
import type { Books } from './books.ts';
import { NOTHING, withNumber, type Digest } from './digest.ts';
import { indexOf, MEMBERS } from './roster.ts';

export type Manner = 'send' | 'deliver' | 'ask';

/** A letter without its number. */
export type Order = Pick<Letter, 'type' | 'first' | 'times' | 'manner'>;

/** A dead letter of one numbered event, as far as it matters. */
export interface Noted {
  readonly reason: string;
  /** Of a poison letter: how the thread or the instance ended. */
  readonly cause: string | undefined;
}

/** The host's part of the books: what it sent itself, what it heard of it, and every dead letter. */
export class Journal {
  /** By number: of events that the host sent, in which life of its member, from 1. */
  readonly lives: Uint16Array;
  /** By number: 1 when it is one that throws in its turn. */
  readonly throwing: Uint8Array;
  /** By number: 1 when its sender was told that it was handled. */
  readonly confirmed: Uint8Array;
  readonly letters = new Map<number, Noted[]>();
  /** By member: events that died with the thread of their sender, of which the number is all that is left. */
  readonly lost: number[] = MEMBERS.map(() => 0);
  /** What the asks and deliveries of the host came to. */
  readonly outcomes = new Map<string, number>();
  readonly wrong: string[] = [];
  lettersByReason: Record<string, number> = {};
  /** Asks and deliveries that have not settled. */
  open = 0;
  fromHost = 0;
  /** By member: which life it is in. */
  readonly life: number[] = MEMBERS.map(() => 0);
  readonly #books: Books;

  constructor(books: Books, capacity: number) {
    this.#books = books;
    this.lives = new Uint16Array(capacity);
    this.throwing = new Uint8Array(capacity);
    this.confirmed = new Uint8Array(capacity);
  }

  /** Sends it and keeps book of it. False when the books are full. */
  post(ref: AgentRef, event: Order, manner: Manner, timeoutMs = 5000): boolean {
    const to = indexOf(ref.address);
    const n = this.#books.claim(to);
    if (n < 0) return false;
    this.lives[n] = this.life[to] as number;
    if (event.type === 'fail') this.throwing[n] = 1;
    this.fromHost += 1;
    const letter = { ...event, n };
    if (manner === 'send') ref.send(letter);
    else this.#awaited(n, manner, manner === 'ask' ? ref.ask(letter, { timeoutMs }) : ref.deliver(letter));
    this.#books.sent(n);
    return true;
  }

  /** Asks, keeps book of it, and resolves with the answer; `full` when the books are. */
  async ask(ref: AgentRef): Promise<number | 'full'> {
    const to = indexOf(ref.address);
    const n = this.#books.claim(to);
    if (n < 0) return 'full';
    this.lives[n] = this.life[to] as number;
    this.fromHost += 1;
    const answer = ref.ask({ type: 'note', n });
    this.#books.sent(n);
    this.#awaited(n, 'ask', answer);
    return (await answer) as number;
  }

  #awaited(n: number, manner: Manner, told: Promise<unknown>): void {
    this.open += 1;
    told.then(
      (answer) => {
        this.open -= 1;
        this.confirmed[n] = 1;
        this.#outcome('confirmed');
        if (manner === 'ask' && answer !== n) this.wrong.push(`ask ${n} was answered with ${String(answer)}`);
      },
      (error: { code?: string; message: string }) => {
        this.open -= 1;
        this.#outcome(error.code ?? error.message);
      },
    );
  }

  #outcome(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }

  note({ address, event, reason, lost, evidence }: DeadLetter): void {
    this.lettersByReason[reason] = (this.lettersByReason[reason] ?? 0) + (lost ?? 1);
    const to = indexOf(address);
    if (lost !== undefined) {
      this.lost[to] = (this.lost[to] ?? 0) + lost;
      return;
    }
    const n = (event as { n?: unknown } | undefined)?.n;
    if (typeof n !== 'number') {
      this.wrong.push(`a dead letter of ${address} (${reason}) has no number`);
      return;
    }
    const before = this.letters.get(n);
    const noted = { reason, cause: evidence?.cause };
    if (before === undefined) this.letters.set(n, [noted]);
    else before.push(noted);
  }

  /** What the state of that member must have after that life: all that was sent to it, no letter, and did not throw. */
  digestOf(member: number, life: number): Digest {
    let digest = NOTHING;
    for (let n = 0; n < this.#books.total; n++) {
      if (this.lives[n] !== life || this.#books.of(n).to !== member) continue;
      if (this.throwing[n] === 1 || this.letters.has(n)) continue;
      digest = withNumber(digest, n);
    }
    return digest;
  }
}
