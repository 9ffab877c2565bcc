/** What nodes have written of themselves and of each other, with ages by one clock. */
export interface NodesView {
  /** For each node the milliseconds since it said that it is there. */
  readonly nodes: ReadonlyMap<number, number>;
  /** Which node has reached which other one, and how many milliseconds ago. */
  readonly reached: readonly (readonly [from: number, to: number, ageMs: number])[];
}

/**
 * The nodes that are alive: those that more than half of all that say they are there reach, themselves included. No node judges by
 * what it reaches itself, or one that is cut off would hold all others dead. Of two nodes both are alive: neither is the half that
 * knows better. When the halves are equal, the one with the lowest number counts. Newcomers are alive until others had the time
 * to reach them, and do not count among those that judge.
 */
export function aliveNodes(
  { nodes, reached }: NodesView,
  silentMs: number,
  newcomers: ReadonlySet<number> = new Set(),
): ReadonlySet<number> {
  const present = [...nodes].filter(([, ageMs]) => ageMs <= silentMs).map(([node]) => node);
  const there = new Set(present.filter((node) => !newcomers.has(node)));
  if (there.size <= 2) return new Set(present);
  const lowest = Math.min(...there);
  const reachers = new Map([...there].map((node) => [node, new Set([node])]));
  for (const [from, to, ageMs] of reached)
    if (ageMs <= silentMs && there.has(from)) reachers.get(to)?.add(from);
  const alive = [...reachers].filter(([, by]) =>
    by.size * 2 === there.size ? by.has(lowest) : by.size * 2 > there.size,
  );
  return new Set([...present.filter((node) => newcomers.has(node)), ...alive.map(([node]) => node)]);
}
