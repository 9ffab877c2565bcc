import type { Clock } from '../base/clock.ts';
import { Ending } from '../base/ending.ts';
import { HoldfastError } from '../base/errors.ts';
import { NobodyReads } from '../base/nobody-reads.ts';
import type { ResolvedPool } from '../config/resolve.ts';
import { isHeaders, type TraceHeaders } from '../mailbox/trace.ts';
import type { Caller } from '../secrets/secret-use.ts';
import {
  USE_FIELDS,
  type AnswerHead,
  type CapabilityUse,
  type CapabilityUses,
  type SecretUseName,
} from '../wire/protocol.ts';
import { withoutShared } from '../wire/shared-memory.ts';
import { BodyRoom } from './body-room.ts';
import type { Seats } from './seats.ts';
import { nobodyWaits } from './thread-errors.ts';
import type { OpenStream, SecretStreams } from './secret-streams.ts';
import { UseAnswers, type UseAnswersOptions } from './use-answers.ts';

/** Uses a secret on behalf of an instance. */
export type UseSecret = (
  caller: Caller,
  use: SecretUseName,
  input: unknown,
  /** Ends the use before its time. */
  ending: Ending,
  /** The trace that the use is a part of. */
  headers: TraceHeaders | undefined,
) => Promise<unknown>;

export interface SecretUsesOptions {
  readonly pool: Pick<ResolvedPool, 'threadId' | 'sharedMemory'>;
  readonly seats: Pick<Seats, 'at'>;
  readonly useSecret: UseSecret;
  /** Tells the thread what has become of uses. */
  readonly tellUsed: UseAnswersOptions['tell'];
  readonly openStream: OpenStream;
  /** The bodies that these uses stream. */
  readonly streams: SecretStreams;
  /** The time in which a body has to have room. */
  readonly clock: Clock;
}

/** A thread's request to use a secret; every field is the thread's own word. */
export interface SecretRequest {
  readonly slot: number;
  readonly incarnation: number;
  readonly use: SecretUseName;
  readonly input: unknown;
  /** The number of the use in its thread. */
  readonly n: number;
  readonly trace: unknown;
}

/** The uses of secrets that the instances of one thread wait for. */
export class SecretUses {
  readonly #options: SecretUsesOptions;
  /** The uses by their number in the thread. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #room: BodyRoom;
  readonly #answers: UseAnswers;

  constructor(options: SecretUsesOptions) {
    this.#options = options;
    this.#room = new BodyRoom(options.clock);
    this.#answers = new UseAnswers({ tell: options.tellUsed });
  }

  /** Resolves when there is room for the body of a request that is to come; `undefined`: no thread asks for that. */
  room(n: number, bytes: number): Promise<void> | undefined {
    return this.#waiting.has(n) ? undefined : this.#room.ask(n, bytes);
  }

  /** Has a use made whose outcome is the answer to the call. */
  use(request: SecretRequest): Promise<unknown> {
    try {
      return this.#use(request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Has uses made whose outcomes are told later, each as soon as it is there and together with others of its tick. */
  take(uses: CapabilityUses): void {
    for (let i = 0; i < uses.length; i += USE_FIELDS) {
      const use = uses.slice(i, i + USE_FIELDS) as unknown as CapabilityUse;
      const [slot, incarnation, name, label, args, n, trace] = use;
      const input = { name, label, args };
      this.use({ slot, incarnation, use: 'capability', input, n, trace }).then(
        (value) => this.#answers.add(n, value),
        (error: unknown) => this.#answers.fail(n, error),
      );
    }
  }

  #use({ slot, incarnation, use, input, n, trace }: SecretRequest): Promise<unknown> {
    const { pool, seats, useSecret } = this.#options;
    const seat = seats.at(slot);
    const here = seat !== undefined && seat.instance.holds(seat) ? seat.instance : undefined;
    // An instance that is not on this thread, or no longer, has no grants.
    const caller = { address: here?.address ?? '', incarnation, pool: pool.threadId };
    withoutShared(input, pool, 'MESSAGE_UNCLONABLE', `what ${caller.address} gave to be used with a secret`);
    if (this.#waiting.has(n)) throw numberTaken();
    if (use === 'stream' && !this.#room.hasFor(n, input)) throw noRoomAsked();
    const ending = new Ending();
    const headers = isHeaders(trace) ? trace : undefined;
    this.#waiting.set(n, { ending, streams: use === 'stream' });
    const over = (): void => {
      this.#waiting.delete(n);
      this.#room.over(n);
    };
    if (use === 'stream') return this.#stream(n, { caller, input, ending, headers }, over);
    return useSecret(caller, use, input, ending, headers).then(
      (result) => {
        over();
        return withoutShared(result, pool, 'REPLY_UNCLONABLE', `what ${caller.address} is given`);
      },
      (error: unknown) => {
        over();
        throw error;
      },
    );
  }

  /** Aborts a use that nobody in the thread waits for any more. */
  giveUp(n: number): void {
    const waiting = this.#waiting.get(n);
    // Nothing but room was asked for by then.
    if (waiting === undefined) return this.#room.over(n);
    waiting.ending.end(waiting.streams ? new NobodyReads() : nobodyWaits());
  }

  /** Aborts all: the thread is gone. */
  close(reason: Error): void {
    for (const { ending } of this.#waiting.values()) ending.end(reason);
    this.#room.close(reason);
  }

  #stream(n: number, { caller, input, ending, headers }: OpenedUse, over: () => void): Promise<AnswerHead> {
    const { openStream, streams } = this.#options;
    return streams.open(n, input, (upload) => openStream(caller, input, ending, upload, headers), over);
  }
}

interface Waiting {
  readonly ending: Ending;
  readonly streams: boolean;
}

interface OpenedUse {
  readonly caller: Caller;
  readonly input: unknown;
  readonly ending: Ending;
  readonly headers: TraceHeaders | undefined;
}

function noRoomAsked(): HoldfastError {
  return new HoldfastError(
    'MESSAGE_TOO_LARGE',
    'The request was not sent: its thread has not asked for the room that its body takes; see what its agents import.',
  );
}

function numberTaken(): HoldfastError {
  return new HoldfastError(
    'MESSAGE_UNCLONABLE',
    'a thread numbered two uses of secrets alike; see what its agents import',
  );
}
