import { hash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { HttpError } from './http-error.ts';
import { CarriedOver } from './put-off-asks.ts';
import { type Answer, type HandedAnswer, KeptAnswers } from './kept-answers.ts';

/** Learns from the handler how far a request has come. */
export interface Course {
  /** Aborted when the outcome is no longer wanted, because too much is under way. */
  readonly signal: AbortSignal;
  /** From here on the request may have been done. */
  begun(): void;
  /** The request was not done, and will not be: when it is sent again, it is done. May come after its answer. */
  refused(): void;
  /** The answer is put off: it comes some time later, in the next process if need be. */
  putOff(): void;
}

/** A request that waits for a put-off ask, as it goes to the next process. */
export type CarriedRequest = readonly [token: string, key: string, fingerprint: string, ticket: string];

/** Called when nobody has to wait for the answer before another process takes over. */
export type PutOff = () => void;

/** The outcome of a request with a key. */
export interface Found {
  readonly answer: Promise<Answer>;
  readonly isReplay: boolean;
  /** The caller no longer waits for it. */
  leave(): void;
}

/**
 * The most requests of one token that are under way with a key. Beyond it the oldest that no client waits for is given
 * up, such as an ask that its agent has put off for good; when there is none, the new one is refused.
 */
const MOST_RUNNING = 1000;

interface Running {
  readonly fingerprint: string;
  readonly answer: Promise<Answer>;
  readonly ending: AbortController;
  isBegun: boolean;
  /** The number of clients that wait for its answer. */
  clients: number;
  /** The callbacks of those who wait for it; none once they know that it is put off. */
  waiting: PutOff[] | undefined;
}

/**
 * Does a request once, even if it comes again with the same `Idempotency-Key`. A request under way goes on, no matter
 * who waits for it, and a repeated one waits for the same answer. The answer is kept unless nothing was done.
 */
export class Idempotency {
  readonly #kept: KeptAnswers;
  /** By token, then by key, so that two tokens never meet. */
  readonly #running = new Map<string, Map<string, Running>>();
  /** Requests that the next process answers. */
  readonly #carried: CarriedRequest[] = [];

  /** `mostBytes` is read whenever an answer is kept. */
  constructor(clock: Pick<Clock, 'now'>, mostBytes: () => number) {
    this.#kept = new KeptAnswers(clock, mostBytes);
  }

  /**
   * Runs the request, unless one with that key of that token was there. `request` is everything that identifies it.
   * The answer is what `run` resolves with, an error too; it takes as long as it takes.
   *
   * @throws {HttpError} 422 when the key came with another request, 429 when too many of the token are under way, 410
   * and 409 when the request was done and its answer is not kept, or not known
   */
  once(
    token: string,
    key: string,
    request: string,
    run: (course: Course) => Promise<Answer>,
    putOff: PutOff = () => {},
  ): Found {
    const fingerprint = hash('sha256', request, 'base64url');
    const running = this.#running.get(token)?.get(key);
    if (running !== undefined) {
      assertSame(running, fingerprint);
      if (running.waiting === undefined) putOff();
      else running.waiting.push(putOff);
      return found(running, true);
    }
    const kept = this.#kept.get(token, key);
    if (kept !== undefined) {
      assertSame(kept, fingerprint);
      return { answer: Promise.resolve(kept.answer()), isReplay: true, leave: () => {} };
    }
    return found(this.#begin(token, key, fingerprint, run, [putOff]), false);
  }

  #begin(
    token: string,
    key: string,
    fingerprint: string,
    run: (course: Course) => Promise<Answer>,
    waiting: PutOff[] | undefined,
  ): Running {
    const ofToken = this.#withRoom(token);
    const ending = new AbortController();
    let [isBegun, isOver] = [false, false];
    const course: Course = {
      signal: ending.signal,
      begun: () => {
        isBegun = true;
        const entry = ofToken.get(key);
        if (entry !== undefined) entry.isBegun = true;
      },
      refused: () => {
        isBegun = false;
        if (isOver) this.#kept.delete(token, key);
      },
      putOff: () => {
        const entry = ofToken.get(key);
        const told = entry?.waiting ?? waiting ?? [];
        if (entry !== undefined) entry.waiting = undefined;
        waiting = undefined;
        for (const one of told) one();
      },
    };
    const end = (): void => {
      isOver = true;
      ofToken.delete(key);
      if (ofToken.size === 0 && this.#running.get(token) === ofToken) this.#running.delete(token);
    };
    const answer = run(course).then(
      (found) => {
        // The outcome of a request that was given up is unknown.
        if (ending.signal.aborted) return found;
        end();
        // A request that surely was not done is done when it comes again.
        if (found.status >= 400 && !isBegun) return found;
        const { status, body } = found;
        this.#kept.add(token, key, fingerprint, { status, body });
        // Later repeats get the same.
        return { status, body };
      },
      (error: unknown) => {
        if (ending.signal.aborted) throw error;
        end();
        if (error instanceof CarriedOver && error.ticket !== undefined) {
          this.#carried.push([token, key, fingerprint, error.ticket]);
        }
        throw error;
      },
    );
    // Callers that wait for it get the error; there may be none.
    answer.catch(() => {});
    const entry: Running = { fingerprint, answer, ending, isBegun, clients: 0, waiting };
    ofToken.set(key, entry);
    return entry;
  }

  /** The requests of the token that are under way, with room for one more. */
  #withRoom(token: string): Map<string, Running> {
    let ofToken = this.#running.get(token);
    if (ofToken === undefined) this.#running.set(token, (ofToken = new Map<string, Running>()));
    if (ofToken.size < MOST_RUNNING) return ofToken;
    for (const [key, { fingerprint, isBegun, clients, ending }] of ofToken) {
      if (clients > 0 || !isBegun) continue;
      this.#kept.add(token, key, fingerprint, undefined);
      ofToken.delete(key);
      ending.abort();
      return ofToken;
    }
    const message = `${MOST_RUNNING} requests of this token with an Idempotency-Key are under way; wait for one to end`;
    throw new HttpError(429, 'LIMIT_REACHED', message);
  }

  /** Everything that is kept, for another process; a request under way goes as one whose outcome is unknown. */
  handOver(): HandedAnswer[] {
    for (const [token, ofToken] of this.#running) {
      for (const [key, { fingerprint, isBegun }] of ofToken) {
        if (isBegun) this.#kept.add(token, key, fingerprint, undefined);
      }
    }
    return this.#kept.handOver();
  }

  /** Requests whose agents have put the answer off, and give it in the next process. */
  get carried(): readonly CarriedRequest[] {
    return this.#carried;
  }

  adopt(handed: readonly HandedAnswer[]): void {
    this.#kept.adopt(handed);
  }

  /** Waits for the answers to requests of another process; `answerTo` resolves with the answer for a ticket. */
  takeOver(carried: readonly CarriedRequest[], answerTo: (ticket: string) => Promise<Answer>): void {
    for (const [token, key, fingerprint, ticket] of carried) {
      const run = (course: Course): Promise<Answer> => {
        course.begun();
        return answerTo(ticket);
      };
      this.#begin(token, key, fingerprint, run, undefined);
    }
  }
}

function found(running: Running, isReplay: boolean): Found {
  running.clients += 1;
  let leave = (): void => {
    running.clients -= 1;
    leave = () => {};
  };
  return { answer: running.answer, isReplay, leave: () => leave() };
}

function assertSame(known: { readonly fingerprint: string }, fingerprint: string): void {
  if (known.fingerprint === fingerprint) return;
  throw keyReused();
}

export function keyReused(): HttpError {
  const message = 'this Idempotency-Key was used for another request; use a new key for each';
  return new HttpError(422, 'IDEMPOTENCY_KEY_REUSED', message);
}
