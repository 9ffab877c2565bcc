import type { AgentRef, DeadLetter } from '../runtime.ts';
import { FollowedInstance, type HandedEvents, type Shown } from './followed-instance.ts';

/** The most bytes of events that are kept for all instances together. */
const MOST_BYTES = 64 * 1024 * 1024;
/** The bytes of events that go to the next process, because requests wait for them. */
const HANDED_BYTES = 16 * 1024 * 1024;
/** The most instances whose events are kept though nobody follows them; beyond it those go that were left first. */
const MOST_LEFT = 10_000;
/** The part of its events by which the stream shrinks that has most, so that room is made for many at a time. */
const SHRINKS_BY = 1 / 8;

/**
 * The events that instances have emitted lately, for the clients that follow them or come again. Those of an instance
 * are kept from its first follower on, until nobody has followed it for a minute.
 */
export class Tails {
  readonly #current = new Map<string, FollowedInstance>();
  /** All that are kept, with the bytes that each was counted with. */
  readonly #counted = new Map<FollowedInstance, number>();
  /** Those that nobody follows, in the order in which they were left. */
  readonly #left = new Set<FollowedInstance>();
  #bytes = 0;

  /** The events of an instance, which are counted from now on at the latest. */
  of(ref: AgentRef, shown: Shown): FollowedInstance {
    const known = this.#current.get(ref.address);
    if (known?.counts(ref) === true) return known;
    const followed = this.#begin(ref.address);
    followed.hear(ref, shown);
    return followed;
  }

  /** The events of an instance that has ended, when the id is of one of them. */
  ended(address: string, id: string | undefined): FollowedInstance | undefined {
    const known = this.#current.get(address);
    return known?.end !== undefined && id !== undefined && known.tail.has(id) ? known : undefined;
  }

  /**
   * Goes on with events from another process. Returns what takes each instance that comes from there, before it emits
   * anything here; those of the others have ended with their process.
   */
  adopt(handed: readonly HandedEvents[], shown: Shown): (ref: AgentRef | undefined) => void {
    const waiting = new Map(handed.map((events) => [events.address, events]));
    for (const events of handed) if (events.end !== undefined) this.#goOn(events);
    return (ref) => {
      const events = ref && waiting.get(ref.address);
      if (ref !== undefined && events !== undefined) this.#goOn(events).hear(ref, shown);
    };
  }

  /** Events that a thread took along when it died are missing, for those who follow its instance. */
  readonly lost = ({ address, toHost, lost }: DeadLetter): void => {
    if (toHost === true && lost !== undefined) this.#current.get(address)?.miss(lost);
  };

  /** The state of an instance was taken for the next process: what it emits from here on, it emits there again. */
  seal(address: string): void {
    this.#current.get(address)?.stop();
  }

  /** The instance goes on in the next process: what it emits until then is told by this one. */
  outlives(address: string): void {
    this.#current.get(address)?.outlives();
  }

  handOver(): HandedEvents[] {
    this.#makeRoom(HANDED_BYTES);
    return Array.from(this.#current.values(), (followed) => followed.handOver());
  }

  #goOn(events: HandedEvents): FollowedInstance {
    const followed = this.#begin(events.address, events);
    this.#grew(followed);
    return followed;
  }

  #begin(address: string, handed?: HandedEvents): FollowedInstance {
    const before = this.#current.get(address);
    const followed = new FollowedInstance(
      address,
      {
        grew: () => this.#grew(followed),
        followed: (isFollowed) => this.#follows(followed, isFollowed),
        over: () => this.#forget(followed),
      },
      handed,
    );
    this.#current.set(address, followed);
    this.#counted.set(followed, 0);
    this.#follows(followed, false);
    before?.stop();
    if (before?.isFollowed === false) this.#forget(before);
    return followed;
  }

  #follows(followed: FollowedInstance, isFollowed: boolean): void {
    this.#left.delete(followed);
    if (isFollowed) return;
    if (this.#current.get(followed.address) !== followed) return this.#forget(followed);
    this.#left.add(followed);
    const [first] = this.#left;
    if (this.#left.size > MOST_LEFT && first !== undefined) this.#forget(first);
  }

  #grew(followed: FollowedInstance): void {
    this.#count(followed);
    if (this.#bytes > MOST_BYTES) this.#makeRoom(MOST_BYTES);
  }

  #count(followed: FollowedInstance): void {
    const counted = this.#counted.get(followed);
    if (counted === undefined) return;
    const { bytes } = followed.tail;
    this.#bytes += bytes - counted;
    this.#counted.set(followed, bytes);
  }

  /** The streams that have most lose their oldest events. */
  #makeRoom(most: number): void {
    while (this.#bytes > most) {
      let heaviest: FollowedInstance | undefined;
      for (const one of this.#counted.keys()) {
        if (one.tail.bytes > (heaviest?.tail.bytes ?? 0)) heaviest = one;
      }
      if (heaviest === undefined) return;
      const { tail } = heaviest;
      const enough = tail.bytes * (1 - SHRINKS_BY);
      while (tail.bytes > enough) tail.dropOldest();
      this.#count(heaviest);
    }
  }

  #forget(followed: FollowedInstance): void {
    followed.forget();
    this.#count(followed);
    this.#counted.delete(followed);
    this.#left.delete(followed);
    if (this.#current.get(followed.address) === followed) this.#current.delete(followed.address);
  }
}
