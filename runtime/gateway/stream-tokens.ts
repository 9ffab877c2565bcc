import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { HttpError } from './http-error.ts';
import type { Caller } from './token-access.ts';

/** Milliseconds within which a stream token can be used. */
export const STREAM_TOKEN_MS = 60_000;
/** The most unused stream tokens of one token; more are refused. */
const MOST = 1000;

/** A stream token that is handed to the next process, with the milliseconds it is still good for. */
export type HandedStreamToken = readonly [
  id: string,
  digest: string,
  owner: string,
  ownerDigest: string,
  address: string,
  leftMs: number,
];

interface Entry {
  /** The digest of the part that nobody else knows. */
  readonly digest: Buffer;
  readonly owner: Pick<Caller, 'name' | 'digest'>;
  readonly address: string;
  readonly until: number;
}

/**
 * Tokens for clients that cannot send a header, such as a browser's EventSource: each lets its holder listen to one
 * instance, once, in the name of the token that it was made with. Kept in memory alone, as a digest.
 */
export class StreamTokens {
  readonly #clock: Pick<Clock, 'now'>;
  /** Oldest first. The id is no secret: it finds the entry, and the rest is compared. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** @throws {HttpError} 429 when the owner has too many that nobody uses */
  make({ name, digest }: Pick<Caller, 'name' | 'digest'>, address: string): string {
    this.#forgetOld();
    let count = 0;
    for (const { owner } of this.#entries.values()) if (owner.name === name) count += 1;
    if (count >= MOST) {
      const message = `${MOST} stream tokens of this token are not used yet; each is good for ${STREAM_TOKEN_MS / 1000} s`;
      throw new HttpError(429, 'LIMIT_REACHED', message);
    }
    const [id, secret] = [randomBytes(12).toString('hex'), randomBytes(32).toString('base64url')];
    const until = this.#clock.now() + STREAM_TOKEN_MS;
    this.#entries.set(id, {
      digest: hash('sha256', secret, 'buffer'),
      owner: { name, digest },
      address,
      until,
    });
    return `hs_${id}_${secret}`;
  }

  /**
   * Returns the owner of a stream token, which is then used up.
   *
   * @throws {HttpError} 401 when it is unknown, for another instance, or used up
   */
  redeem(token: string, address: string): Pick<Caller, 'name' | 'digest'> {
    this.#forgetOld();
    const [, id = '', secret = ''] = /^hs_([0-9a-f]{24})_([\w-]{43})$/.exec(token) ?? [];
    const entry = this.#entries.get(id);
    const isRight = timingSafeEqual(entry?.digest ?? Buffer.alloc(32), hash('sha256', secret, 'buffer'));
    if (entry === undefined || !isRight || entry.address !== address) {
      const message =
        'this stream token is unknown, is for another instance, was used already, or is older than a minute; make one with POST …/stream-token';
      throw new HttpError(401, 'UNAUTHORIZED', message);
    }
    this.#entries.delete(id);
    return entry.owner;
  }

  handOver(): HandedStreamToken[] {
    this.#forgetOld();
    const now = this.#clock.now();
    return Array.from(this.#entries, ([id, { digest, owner, address, until }]) => {
      const ownerDigest = owner.digest.toString('hex');
      return [id, digest.toString('hex'), owner.name, ownerDigest, address, until - now] as const;
    });
  }

  adopt(handed: readonly HandedStreamToken[]): void {
    for (const [id, digest, name, ownerDigest, address, leftMs] of handed) {
      const owner = { name, digest: Buffer.from(ownerDigest, 'hex') };
      const until = this.#clock.now() + leftMs;
      this.#entries.set(id, { digest: Buffer.from(digest, 'hex'), owner, address, until });
    }
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [id, { until }] of this.#entries) {
      if (until > now) return;
      this.#entries.delete(id);
    }
  }
}
