import type { AnyActorRef } from 'xstate';
import { addressOf } from '../base/address.ts';

/** Which addresses are in use before their instances run, and which number the next instance without an id gets. */
export class Addresses {
  readonly #inUse: (address: string) => boolean;
  /** Of twins that are made and not started. */
  readonly #reserved = new Set<string>();
  /** Of twins that never were: React's strict mode makes one for each that it keeps. */
  readonly #abandoned = new FinalizationRegistry<string>((address) => this.#reserved.delete(address));
  readonly #next = new Map<string, number>();

  /** `inUse` tells of the instances that run. */
  constructor(inUse: (address: string) => boolean) {
    this.#inUse = inUse;
  }

  isTaken(address: string): boolean {
    return this.#inUse(address) || this.#reserved.has(address);
  }

  /** The lowest number that no instance of the agent had yet or has as its id. */
  freeId(agent: string): string {
    let next = this.#next.get(agent) ?? 1;
    while (this.isTaken(addressOf(agent, String(next)))) next += 1;
    this.#next.set(agent, next + 1);
    return String(next);
  }

  /** A twin was made. */
  reserve(address: string, twin: AnyActorRef): void {
    this.#reserved.add(address);
    this.#abandoned.register(twin, address, twin);
  }

  /** It starts, and its instance has the address now. */
  release(address: string, twin: AnyActorRef): void {
    this.#reserved.delete(address);
    this.#abandoned.unregister(twin);
  }
}
