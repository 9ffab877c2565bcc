/** A directed graph; whom each node leads to. */
export type Arrows = ReadonlyMap<string, readonly string[]>;

/** Groups of nodes that lead to each other; sorted, and so are their members. */
export function circlesIn(graph: Arrows): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];

  function visit(node: string): number {
    const n = order.size;
    order.set(node, n);
    lowest.set(node, n);
    open.push(node);
    for (const next of graph.get(node) ?? []) {
      const reached = order.has(next) ? (open.includes(next) ? (order.get(next) ?? n) : n) : visit(next);
      lowest.set(node, Math.min(lowest.get(node) ?? n, reached));
    }
    if (lowest.get(node) === n) {
      const group = open.splice(open.indexOf(node));
      if (group.length > 1) circles.push(group.toSorted());
    }
    return lowest.get(node) ?? n;
  }

  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1));
}

/**
 * The arrows that lead back up: without them there is no circle. Of a group that leads to each other those stand low that
 * lead to few of it and are led to by many.
 */
export function arrowsUp(graph: Arrows): [from: string, to: string][] {
  return circlesIn(graph).flatMap((group) => {
    const rest = new Set(group);
    const below = new Set<string>();
    const up: [string, string][] = [];
    while (rest.size > 0) {
      const within = (node: string): string[] => (graph.get(node) ?? []).filter((one) => rest.has(one));
      const to = (node: string): number => [...rest].filter((one) => within(one).includes(node)).length;
      const rank = (node: string): number => within(node).length * 1000 - to(node);
      const [lowest = ''] = [...rest].toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
      rest.delete(lowest);
      below.add(lowest);
      for (const one of within(lowest)) up.push([lowest, one]);
    }
    return up;
  });
}

/** The floor of each node: one above the highest that it leads to. `graph` has no circle. */
export function floorsOf(graph: Arrows): Map<string, number> {
  const floors = new Map<string, number>();
  const floorOf = (node: string): number => {
    const known = floors.get(node);
    if (known !== undefined) return known;
    const floor = Math.max(-1, ...(graph.get(node) ?? []).map(floorOf)) + 1;
    floors.set(node, floor);
    return floor;
  };
  for (const node of graph.keys()) floorOf(node);
  return floors;
}
