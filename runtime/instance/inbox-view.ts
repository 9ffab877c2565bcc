import type { ResolvedAgent } from '../config/resolve.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Ledger } from '../store/ledger.ts';
import type { InboxOptions } from './inbox.ts';
import type { InstanceEffects } from './instance-effects.ts';

/** An instance as its inbox needs it. */
export interface InboxOwner {
  readonly agent: ResolvedAgent;
  readonly address: string;
  readonly sharedMemory: boolean;
  readonly effects: InstanceEffects;
  readonly incarnation: number;
  readonly over: boolean;
  shut(): Error | undefined;
  ready(): void;
  wake(): void;
  unawaited(tag: Tag): void;
  large(event: object, bytes: number): void;
}

/**
 * An instance as its inbox sees it. Methods of a class and no functions of each instance: an idle instance consists of little
 * else than what its parts hold of it.
 */
export class InboxView implements InboxOptions {
  readonly ledger: Ledger | undefined;
  readonly #owner: InboxOwner;

  constructor(owner: InboxOwner, ledger: Ledger | undefined) {
    this.#owner = owner;
    this.ledger = ledger;
  }

  get agent(): ResolvedAgent {
    return this.#owner.agent;
  }

  get address(): string {
    return this.#owner.address;
  }

  get sharedMemory(): boolean {
    return this.#owner.sharedMemory;
  }

  get clock(): InstanceEffects['clock'] {
    return this.#owner.effects.clock;
  }

  get waiting(): Waiting {
    return this.#owner.effects.waiting;
  }

  get deadLetters(): DeadLetters {
    return this.#owner.effects.deadLetters;
  }

  get messages(): InstanceEffects['messages'] {
    return this.#owner.effects.messages;
  }

  get isInspected(): boolean {
    const { agent, effects } = this.#owner;
    return effects.inspects?.(agent) === true;
  }

  get sent(): InstanceEffects['sent'] {
    return this.#owner.effects.sent;
  }

  get incarnation(): number {
    return this.#owner.incarnation;
  }

  get over(): boolean {
    return this.#owner.over;
  }

  shut(): Error | undefined {
    return this.#owner.shut();
  }

  ready(): void {
    this.#owner.ready();
  }

  needed(): void {
    this.#owner.wake();
  }

  unawaited(tag: Tag): void {
    this.#owner.unawaited(tag);
  }

  large(event: object, bytes: number): void {
    this.#owner.large(event, bytes);
  }
}
