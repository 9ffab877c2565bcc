import type { Clock } from '../base/clock.ts';
import { HttpError } from './http-error.ts';

/** An answer, and the seconds after which another try may go better. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter?: number | undefined;
}

/**
 * An answer for the next process, with the milliseconds it is still good for. Without a status the outcome of the
 * request is unknown, without a body the answer is not kept.
 */
export type HandedAnswer = readonly [
  token: string,
  key: string,
  fingerprint: string,
  leftMs: number,
  status: number | undefined,
  body: Uint8Array | undefined,
];

/** An answer that is kept. */
export interface KeptAnswer {
  readonly fingerprint: string;
  /** @throws {HttpError} 410 when its body is not kept, 409 when it is not known */
  answer(): Answer;
}

/** Milliseconds that are long enough for any client that tries again. */
const KEPT_MS = 10 * 60_000;
/**
 * The longest body that is kept; of a longer answer only the status is. Most are far shorter, and a long one can be
 * asked for.
 */
const LONGEST_BODY = 64 * 1024;
/** The bytes that an entry takes besides its key and its body, approximately: measured with a heap snapshot. */
const ENTRY_BYTES = 400;
/** The bytes of bodies that go to the next process, the latest first, because requests wait for them. */
const HANDED_BYTES = 16 * 1024 * 1024;

interface Entry {
  readonly fingerprint: string;
  readonly until: number;
  readonly status: number | undefined;
  body: Buffer | undefined;
  bytes: number;
}

/** The answers of one token, oldest first. */
class OfToken {
  readonly entries = new Map<string, Entry>();
  /** The keys of the answers that have a body. */
  readonly whole = new Set<string>();
  bytes = 0;
  #bodyBytes = 0;

  add(key: string, entry: Entry): void {
    this.delete(key);
    this.entries.set(key, entry);
    this.bytes += entry.bytes;
    if (entry.body === undefined) return;
    this.whole.add(key);
    this.#bodyBytes += entry.body.length;
  }

  delete(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.#dropBody(key, entry);
    this.bytes -= entry.bytes;
    this.entries.delete(key);
  }

  /**
   * Makes room: the oldest body goes, so that its request is still not done again; or the oldest entry, when entries
   * take a quarter of all, so that the latest answers have a place too.
   */
  letGo(): void {
    const [whole] = this.whole;
    const [oldest = ''] = this.entries.keys();
    const isMostlyBodies = 4 * (this.bytes - this.#bodyBytes) < this.bytes;
    if (whole === undefined || !isMostlyBodies) this.delete(oldest);
    else this.#dropBody(whole, this.entries.get(whole) as Entry);
  }

  #dropBody(key: string, entry: Entry): void {
    const length = entry.body?.length ?? 0;
    entry.body = undefined;
    entry.bytes -= length;
    this.bytes -= length;
    this.#bodyBytes -= length;
    this.whole.delete(key);
  }

  forgetOld(now: number): void {
    for (const [key, { until }] of this.entries) {
      if (until > now) return;
      this.delete(key);
    }
  }
}

/**
 * Answers to requests with an `Idempotency-Key`, by token and key, for ten minutes. They are counted in bytes: when
 * they are too many, the oldest of the token that has most go first, so that no token's answers displace another's.
 */
export class KeptAnswers {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #mostBytes: () => number;
  readonly #tokens = new Map<string, OfToken>();

  constructor(clock: Pick<Clock, 'now'>, mostBytes: () => number) {
    this.#clock = clock;
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.#tokens.values()) sum += bytes;
    return sum;
  }

  get(token: string, key: string): KeptAnswer | undefined {
    const entry = this.#tokens.get(token)?.entries.get(key);
    if (entry === undefined || entry.until <= this.#clock.now()) return undefined;
    return { fingerprint: entry.fingerprint, answer: () => answerOf(entry) };
  }

  /** Without an answer the outcome of the request is unknown. */
  add(token: string, key: string, fingerprint: string, answer: Answer | undefined): void {
    const body = answer === undefined ? undefined : bodyOf(answer.body);
    this.#add(token, key, fingerprint, KEPT_MS, answer?.status, body);
    this.#makeRoom();
  }

  delete(token: string, key: string): void {
    this.#tokens.get(token)?.delete(key);
  }

  handOver(): HandedAnswer[] {
    const now = this.#clock.now();
    const handed: HandedAnswer[] = [];
    for (const [token, { entries }] of this.#tokens) {
      for (const [key, { fingerprint, until, status, body }] of entries) {
        if (until > now) handed.push([token, key, fingerprint, until - now, status, body]);
      }
    }
    handed.sort((a, b) => a[3] - b[3]);
    let left = HANDED_BYTES;
    for (let n = handed.length - 1; n >= 0; n--) {
      const [token, key, fingerprint, leftMs, status, body] = handed[n] as HandedAnswer;
      if (body === undefined || (left -= body.length) >= 0) continue;
      handed[n] = [token, key, fingerprint, leftMs, status, undefined];
    }
    return handed;
  }

  adopt(handed: readonly HandedAnswer[]): void {
    for (const [token, key, fingerprint, leftMs, status, body] of handed) {
      this.#add(token, key, fingerprint, leftMs, status, body && Buffer.from(body));
    }
    this.#makeRoom();
  }

  #add(
    token: string,
    key: string,
    fingerprint: string,
    leftMs: number,
    status: number | undefined,
    body: Buffer | undefined,
  ): void {
    let ofToken = this.#tokens.get(token);
    if (ofToken === undefined) this.#tokens.set(token, (ofToken = new OfToken()));
    const bytes = ENTRY_BYTES + 2 * key.length + (body?.length ?? 0);
    ofToken.add(key, { fingerprint, until: this.#clock.now() + leftMs, status, body, bytes });
  }

  #makeRoom(): void {
    const now = this.#clock.now();
    for (const [token, ofToken] of this.#tokens) {
      ofToken.forgetOld(now);
      if (ofToken.entries.size === 0) this.#tokens.delete(token);
    }
    const most = this.#mostBytes();
    for (let over = this.bytes - most; over > 0; over = this.bytes - most) {
      let heaviest: OfToken | undefined;
      for (const one of this.#tokens.values()) if (one.bytes > (heaviest?.bytes ?? 0)) heaviest = one;
      if (heaviest === undefined) return;
      heaviest.letGo();
    }
  }
}

/** Bytes stand outside of the heap, and take exactly their size. */
function bodyOf(text: string): Buffer | undefined {
  if (text.length > LONGEST_BODY) return undefined;
  const body = Buffer.from(text);
  return body.length > LONGEST_BODY ? undefined : body;
}

function answerOf({ status, body }: Entry): Answer {
  if (status === undefined) {
    const message =
      'this request was begun, and its outcome is not known, since another process took over, or too many others of this token were ' +
      'under way; it is not repeated: check the state of the instance, and use a new key';
    throw new HttpError(409, 'OUTCOME_UNKNOWN', message);
  }
  if (body === undefined) {
    const message =
      `this request was answered with ${status}, and is not repeated; the answer itself is not kept: it has more than ` +
      `${LONGEST_BODY} bytes, or had to make room for later ones`;
    throw new HttpError(410, 'ANSWER_NOT_KEPT', message);
  }
  return { status, body: body.toString() };
}
