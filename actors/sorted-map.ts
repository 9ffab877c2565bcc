interface Node<K, V> {
  readonly key: K;
  readonly value: V;
  readonly left: Node<K, V> | undefined;
  readonly right: Node<K, V> | undefined;
  /** Of the tree below, this node included. */
  readonly height: number;
}

/** Neither a copy for a viewer nor `Object.entries` follows the tree by this name. */
const ROOT = Symbol('root');

/**
 * A map that never changes: `with` and `without` return another one, which shares all but O(log n) nodes with it. A machine
 * that has thousands of something in its context changes one of them in that time, and stays pure. Iterates in the order
 * of the keys.
 */
export class SortedMap<K extends string | number, V> implements Iterable<readonly [K, V]> {
  readonly [ROOT]: Node<K, V> | undefined;
  readonly size: number;

  constructor(root?: Node<K, V>, size = 0) {
    this[ROOT] = root;
    this.size = size;
  }

  get(key: K): V | undefined {
    return find(this[ROOT], key)?.value;
  }

  has(key: K): boolean {
    return find(this[ROOT], key) !== undefined;
  }

  /** The entry with the lowest key. */
  get first(): readonly [K, V] | undefined {
    const lowest = this[ROOT] && lowestOf(this[ROOT]);
    return lowest && [lowest.key, lowest.value];
  }

  with(key: K, value: V): SortedMap<K, V> {
    return new SortedMap(put(this[ROOT], key, value), this.has(key) ? this.size : this.size + 1);
  }

  without(key: K): SortedMap<K, V> {
    return this.has(key) ? new SortedMap(removed(this[ROOT], key), this.size - 1) : this;
  }

  [Symbol.iterator](): Generator<readonly [K, V], void> {
    return entries(this[ROOT], undefined);
  }

  /** The entries whose keys are not lower than `key`. */
  from(key: K): Iterable<readonly [K, V]> {
    return entries(this[ROOT], key);
  }

  keys(): K[] {
    return Array.from(this, ([key]) => key);
  }

  values(): V[] {
    return Array.from(this, ([, value]) => value);
  }

  toJSON(): (readonly [K, V])[] {
    return [...this];
  }
}

function find<K, V>(root: Node<K, V> | undefined, key: K): Node<K, V> | undefined {
  let node = root;
  while (node !== undefined && node.key !== key) node = key < node.key ? node.left : node.right;
  return node;
}

function lowestOf<K, V>(root: Node<K, V>): Node<K, V> {
  let node = root;
  while (node.left !== undefined) node = node.left;
  return node;
}

function* entries<K extends string | number, V>(
  node: Node<K, V> | undefined,
  from: K | undefined,
): Generator<readonly [K, V], void> {
  if (node === undefined) return;
  const { key, value, left, right } = node;
  const isIn = from === undefined || key >= from;
  if (isIn) {
    yield* entries(left, from);
    yield [key, value];
  }
  yield* entries(right, isIn && from !== undefined ? undefined : from);
}

function put<K, V>(node: Node<K, V> | undefined, key: K, value: V): Node<K, V> {
  if (node === undefined) return join(undefined, { key, value }, undefined);
  const { left, right } = node;
  if (key === node.key) return join(left, { key, value }, right);
  return key < node.key
    ? balanced(put(left, key, value), node, right)
    : balanced(left, node, put(right, key, value));
}

function removed<K, V>(node: Node<K, V> | undefined, key: K): Node<K, V> | undefined {
  if (node === undefined) return undefined;
  const { left, right } = node;
  if (key < node.key) return balanced(removed(left, key), node, right);
  if (key > node.key) return balanced(left, node, removed(right, key));
  if (left === undefined) return right;
  if (right === undefined) return left;
  const next = lowestOf(right);
  return balanced(left, next, removed(right, next.key));
}

type Entry<K, V> = Pick<Node<K, V>, 'key' | 'value'>;

const heightOf = (node: { readonly height: number } | undefined): number => node?.height ?? 0;

function join<K, V>(
  left: Node<K, V> | undefined,
  { key, value }: Entry<K, V>,
  right: Node<K, V> | undefined,
): Node<K, V> {
  return { key, value, left, right, height: 1 + Math.max(heightOf(left), heightOf(right)) };
}

/** An AVL tree: the heights of two neighbours differ by one at most, whatever the keys are. */
function balanced<K, V>(
  left: Node<K, V> | undefined,
  middle: Entry<K, V>,
  right: Node<K, V> | undefined,
): Node<K, V> {
  const leaning = heightOf(left) - heightOf(right);
  if (left !== undefined && leaning > 1) {
    const inner = left.right;
    if (inner === undefined || heightOf(left.left) >= inner.height)
      return join(left.left, left, join(inner, middle, right));
    return join(join(left.left, left, inner.left), inner, join(inner.right, middle, right));
  }
  if (right !== undefined && leaning < -1) {
    const inner = right.left;
    if (inner === undefined || heightOf(right.right) >= inner.height)
      return join(join(left, middle, inner), right, right.right);
    return join(join(left, middle, inner.left), inner, join(inner.right, right, right.right));
  }
  return join(left, middle, right);
}
