import { OrderedMap } from './ordered-map.ts';
import { numberOf, type PlacementRule } from './placement.ts';
import { SortedMap } from './sorted-map.ts';

/** An instance that is to be put on a thread. */
export interface PlaceRequest {
  readonly address: string;
  readonly placement: PlacementRule;
  /** It has lost nothing so far, and is not to because no thread starts. */
  readonly moving?: boolean | undefined;
}

/** What a request is for: whoever wants the same is served in turn, and when one of them has to wait, the others have to. */
export type Want = string;

/** The want of a placement rule in a pool of `maxThreads`. */
export function wantOf(placement: PlacementRule, maxThreads: number): Want {
  const { kind } = placement;
  if (kind === 'key') return `${kind} ${numberOf(placement.key, maxThreads)}`;
  return kind === 'replacement' ? `${kind} ${placement.of}` : kind;
}

interface Parts {
  readonly requests: OrderedMap<{ readonly request: PlaceRequest; readonly want: Want }>;
  readonly queues: SortedMap<Want, SortedMap<number, PlaceRequest>>;
}

/** As in a {@link SortedMap}. */
const PARTS = Symbol('parts');

/**
 * Those that wait for a thread, in their order; it never changes, as a {@link SortedMap}. There are fewer wants than twice the
 * threads, however many wait: only the first of each is tried when there may be room.
 */
export class WaitingList implements Iterable<PlaceRequest> {
  readonly [PARTS]: Parts;
  readonly size: number;

  constructor(parts: Parts = { requests: new OrderedMap(), queues: new SortedMap() }) {
    this[PARTS] = parts;
    this.size = parts.requests.size;
  }

  has(address: string): boolean {
    return this[PARTS].requests.has(address);
  }

  /** One more waits, behind all others; its address is not in the list. */
  with(request: PlaceRequest, want: Want): WaitingList {
    const { address } = request;
    const { queues } = this[PARTS];
    const requests = this[PARTS].requests.with(address, { request, want });
    const queue = queues.get(want) ?? new SortedMap<number, PlaceRequest>();
    const order = requests.orderOf(address) as number;
    return new WaitingList({ requests, queues: queues.with(want, queue.with(order, request)) });
  }

  without(address: string): WaitingList {
    const { requests, queues } = this[PARTS];
    const want = requests.get(address)?.want;
    if (want === undefined) return this;
    const queue = queues.get(want)?.without(requests.orderOf(address) as number);
    const isLeft = queue !== undefined && queue.size > 0;
    return new WaitingList({
      requests: requests.without(address),
      queues: isLeft ? queues.with(want, queue) : queues.without(want),
    });
  }

  /** The first of all whose want is not among `refused`, with its want. */
  firstBut(refused: ReadonlySet<Want>): { readonly request: PlaceRequest; readonly want: Want } | undefined {
    let [first, least]: [ReturnType<WaitingList['firstBut']>, number] = [undefined, Infinity];
    for (const [want, queue] of this[PARTS].queues) {
      if (refused.has(want) || queue.first === undefined) continue;
      const [order, request] = queue.first;
      if (order < least) [first, least] = [{ request, want }, order];
    }
    return first;
  }

  *[Symbol.iterator](): Generator<PlaceRequest, void> {
    for (const { request } of this[PARTS].requests) yield request;
  }

  values(): PlaceRequest[] {
    return this[PARTS].requests.values().map(({ request }) => request);
  }

  toJSON(): PlaceRequest[] {
    return this.values();
  }
}
