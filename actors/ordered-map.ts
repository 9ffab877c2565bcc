import { SortedMap } from './sorted-map.ts';

interface Parts<V> {
  readonly placed: SortedMap<string, { readonly order: number; readonly value: V }>;
  readonly inOrder: SortedMap<number, V>;
  /** The order of the next one. */
  readonly next: number;
}

/** As in a {@link SortedMap}. */
const PARTS = Symbol('parts');

/**
 * A map that never changes, as a {@link SortedMap}, whose entries keep the order in which their keys came. A key that left
 * and comes back is the last one.
 */
export class OrderedMap<V> implements Iterable<V> {
  readonly [PARTS]: Parts<V>;
  readonly size: number;

  constructor(parts: Parts<V> = { placed: new SortedMap(), inOrder: new SortedMap(), next: 0 }) {
    this[PARTS] = parts;
    this.size = parts.placed.size;
  }

  get(key: string): V | undefined {
    return this[PARTS].placed.get(key)?.value;
  }

  has(key: string): boolean {
    return this[PARTS].placed.has(key);
  }

  /** A number that is higher for each one that came later. */
  orderOf(key: string): number | undefined {
    return this[PARTS].placed.get(key)?.order;
  }

  with(key: string, value: V): OrderedMap<V> {
    const { placed, inOrder, next } = this[PARTS];
    const order = placed.get(key)?.order ?? next;
    return new OrderedMap({
      placed: placed.with(key, { order, value }),
      inOrder: inOrder.with(order, value),
      next: Math.max(next, order + 1),
    });
  }

  without(key: string): OrderedMap<V> {
    const { placed, inOrder, next } = this[PARTS];
    const order = placed.get(key)?.order;
    if (order === undefined) return this;
    return new OrderedMap({ placed: placed.without(key), inOrder: inOrder.without(order), next });
  }

  *[Symbol.iterator](): Generator<V, void> {
    for (const [, value] of this[PARTS].inOrder) yield value;
  }

  values(): V[] {
    return this[PARTS].inOrder.values();
  }

  toJSON(): V[] {
    return this.values();
  }

  /** Those that came with `key`, or later; nothing when that is not there. */
  from(key: string): V[] {
    const order = this.orderOf(key);
    return order === undefined ? [] : Array.from(this[PARTS].inOrder.from(order), ([, value]) => value);
  }
}
