import {
  MessageChannel,
  receiveMessageOnPort,
  type MessagePort,
  type Transferable,
} from 'node:worker_threads';
import { methodOf, type LinkPort } from '../wire/link.ts';
import type { Lane, Scheduler } from './scheduler.ts';

type Listener = (value: unknown) => void;

/**
 * One end of a real channel, so that everything is cloned as between threads, whose messages arrive when the
 * scheduler says so.
 */
export class ScheduledPort implements LinkPort, Lane {
  readonly #name: string;
  readonly #port: MessagePort;
  readonly #scheduler: Scheduler;
  readonly #listeners = new Map<string, Listener[]>();
  /** What waits: messages of the channel, or what happens after those that came before. */
  readonly #waiting: ('message' | (() => string))[] = [];
  #other: ScheduledPort | undefined;
  /** Messages sent before the other end was known. */
  #early = 0;
  #closed = false;
  /** Takes a message away that is being sent. */
  intercept: ((message: unknown) => boolean) | undefined;
  /** Nobody reads here any more. */
  stuck = false;

  constructor(name: string, port: MessagePort, scheduler: Scheduler) {
    this.#name = name;
    this.#port = port;
    this.#scheduler = scheduler;
    scheduler.add(this);
  }

  get ready(): boolean {
    return this.#waiting.length > 0 && !this.stuck;
  }

  run(): string {
    const next = this.#waiting.shift();
    if (next !== 'message') return next?.() ?? '';
    const message: unknown = receiveMessageOnPort(this.#port)?.message;
    this.#emit('message', message);
    return `${this.#name} gets ${methodOf(message) ?? 'an answer'}`;
  }

  postMessage(message: unknown, transfer: readonly unknown[] = []): void {
    if (this.#closed || this.intercept?.(message) === true) return;
    this.#port.postMessage(message, transfer as Transferable[]);
    if (this.#other === undefined) this.#early += 1;
    else this.#other.later('message');
  }

  /** Happens here after everything that has been sent before. */
  later(what: 'message' | (() => string)): void {
    this.#waiting.push(what);
    this.#scheduler.wake();
  }

  on(event: string, listener: Listener | (() => void)): void {
    const listeners = this.#listeners.get(event) ?? [];
    listeners.push(listener);
    this.#listeners.set(event, listeners);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#scheduler.remove(this);
    this.#port.close();
    this.#other?.later(() => this.#other?.closedThere() ?? '');
  }

  closedThere(): string {
    this.#emit('close', undefined);
    return `${this.#name} is closed`;
  }

  /** The other end has been found. */
  join(other: ScheduledPort): void {
    this.#other = other;
    for (; this.#early > 0; this.#early--) other.later('message');
    if (this.#closed) other.later(() => other.closedThere());
  }

  ref(): void {}
  unref(): void {}

  #emit(event: string, value: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(value);
  }

  /** Two ends of one channel. */
  static pair(
    host: string,
    thread: string,
    scheduler: Scheduler,
  ): [host: ScheduledPort, thread: ScheduledPort] {
    const { port1, port2 } = new MessageChannel();
    const ends: [ScheduledPort, ScheduledPort] = [
      new ScheduledPort(host, port1, scheduler),
      new ScheduledPort(thread, port2, scheduler),
    ];
    ends[0].join(ends[1]);
    ends[1].join(ends[0]);
    return ends;
  }
}
