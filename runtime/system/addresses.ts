import type { AnyActorRef } from 'xstate';
import { addressOf } from '../base/address.ts';

/** The addresses that are in use before their instances run, and the numbers for instances without an id. */
export class Addresses {
  readonly #inUse: (address: string) => boolean;
  /** The addresses of twins that are created and not started. */
  readonly #reserved = new Set<string>();
  /** Frees the addresses of twins that never start: React's strict mode creates one for each that it keeps. */
  readonly #abandoned = new FinalizationRegistry<string>((address) => this.#reserved.delete(address));
  readonly #next = new Map<string, number>();

  /** `inUse`: whether an instance runs at an address. */
  constructor(inUse: (address: string) => boolean) {
    this.#inUse = inUse;
  }

  isTaken(address: string): boolean {
    return this.#inUse(address) || this.#reserved.has(address);
  }

  /** Returns the lowest number that was not given to an instance of the agent before, and is not the id of one now. */
  freeId(agent: string): string {
    let next = this.#next.get(agent) ?? 1;
    while (this.isTaken(addressOf(agent, String(next)))) next += 1;
    this.#next.set(agent, next + 1);
    return String(next);
  }

  /** Reserves an address for a twin that was created. */
  reserve(address: string, twin: AnyActorRef): void {
    this.#reserved.add(address);
    this.#abandoned.register(twin, address, twin);
  }

  /** Ends the reservation: the twin starts, and its instance has the address now. */
  release(address: string, twin: AnyActorRef): void {
    this.#reserved.delete(address);
    this.#abandoned.unregister(twin);
  }
}
