import { randomUUID } from 'node:crypto';
import type { AskToCarry, CarriedAsk, OpenWait, ServedSystem } from '../runtime.ts';
import { HttpError } from './http-error.ts';

/** Milliseconds for which an answer waits for the request that is to be passed on for it. */
const FETCHED_WITHIN_MS = 60_000;

/** An ask that the next process answers. It goes over a pipe, with the instance that put it off. */
export interface HandedAsk extends Pick<AskToCarry, 'incarnation' | 'ask' | 'type' | 'timeoutMs'> {
  /** A secret of the gateway's processes: a request that shows it waits for the answer instead of asking again. */
  readonly ticket: string;
}

/** Another process answers a request: the one that has its instance now. */
export class CarriedOver extends Error {
  /** The ticket of the ask that the request waits for; undefined when it is still to be asked there. */
  readonly ticket: string | undefined;

  constructor(ticket?: string) {
    super('the agent goes on in another process, which answers');
    this.ticket = ticket;
  }
}

/** The way in which a request waits for the outcome of its event. */
export interface Opening extends Omit<OpenWait, 'putOff'> {
  /** The agent will answer later, and a restart does not wait for that. */
  readonly putOff: () => void;
}

interface PutOff {
  readonly until: number;
  readonly ticket: string;
  /** Moves the wait to the next process. */
  readonly move: (to: CarriedOver) => void;
}

interface Taken {
  readonly address: string;
  readonly answer: Promise<unknown>;
}

/**
 * Asks over HTTP whose agents have put the answer off: a person is to decide, or a model takes its time. They outlive
 * the process: the instance answers in the next one, and the clients are passed on to it.
 */
export class PutOffAsks {
  readonly #send: ServedSystem['open'];
  readonly #now: () => number;
  /** By address, and by the tag under which the runtime knows the ask. */
  readonly #open = new Map<string, Map<number, PutOff>>();
  /** Asks that were put off in another process, by ticket. */
  readonly #taken = new Map<string, Taken>();

  constructor(send: ServedSystem['open'], now: () => number) {
    this.#send = send;
    this.#now = now;
  }

  /** Sends an event and waits for the outcome; rejects with {@link CarriedOver} when another process will answer. */
  open(address: string, kind: 'ask' | 'delivery', event: unknown, wait: Opening): Promise<unknown> {
    if (kind === 'delivery') return this.#send(address, kind, event, { ...wait, putOff: undefined });
    const until = this.#now() + wait.timeoutMs;
    return new Promise((resolve, reject) => {
      let tag: number | undefined;
      const putOff = (known: number): void => {
        tag = known;
        this.#add(address, known, { until, ticket: randomUUID(), move: reject });
        wait.putOff();
      };
      const over = (): void => {
        if (tag !== undefined) this.#remove(address, tag);
      };
      this.#send(address, kind, event, { ...wait, putOff })
        .finally(over)
        .then(resolve, reject);
    });
  }

  /** Whether the ask was put off in another process, and is answered here. */
  knows(ticket: string | undefined): boolean {
    return ticket !== undefined && this.#taken.has(ticket);
  }

  /** Waits for an ask that was put off in another process. */
  async answer(ticket: string, address?: string): Promise<unknown> {
    const taken = this.#taken.get(ticket);
    if (taken !== undefined && (address ?? taken.address) === taken.address) return taken.answer;
    const message = 'the agent was restarted before it had answered; look at its state, and ask again';
    throw new HttpError(503, 'RESTARTING', message);
  }

  /** Returns the asks of an instance that the next process takes over: `asks` are those that it has put off. */
  handOver(address: string, asks: readonly CarriedAsk[]): HandedAsk[] {
    const open = this.#open.get(address);
    return asks.flatMap(({ incarnation, ask, type, tag }) => {
      const known = open?.get(tag);
      if (known === undefined) return [];
      const { ticket, until, move } = known;
      move(new CarriedOver(ticket));
      return [
        {
          incarnation,
          ask,
          ...(type !== undefined && { type }),
          ticket,
          timeoutMs: Math.max(1, until - this.#now()),
        },
      ];
    });
  }

  /** Takes over the asks that an instance has put off in another process. */
  adopt(address: string, handed: readonly HandedAsk[]): AskToCarry[] {
    return handed.map(({ ticket, ...ask }) => ({
      ...ask,
      taken: (carried, tag) => {
        const until = this.#now() + ask.timeoutMs;
        const answer = new Promise((resolve, reject) => {
          this.#add(address, tag, { until, ticket, move: reject });
          carried.then(resolve, reject);
        });
        this.#taken.set(ticket, { address, answer });
        const over = (): void => {
          this.#remove(address, tag);
          setTimeout(() => this.#taken.delete(ticket), FETCHED_WITHIN_MS).unref();
        };
        answer.then(over, over);
      },
    }));
  }

  #add(address: string, tag: number, ask: PutOff): void {
    const of = this.#open.get(address) ?? new Map<number, PutOff>();
    this.#open.set(address, of.set(tag, ask));
  }

  #remove(address: string, tag: number): void {
    const of = this.#open.get(address);
    of?.delete(tag);
    if (of?.size === 0) this.#open.delete(address);
  }
}
