/** Definitions whose states are kept in order: more than a runtime has agents, mostly. */
const mostDefinitions = 200;
/** States of a machine that have a place of their own, and levels that are gone down. */
const mostPlaces = 2000;
const deepest = 20;

/** The innermost states of a machine's value, each as its keys joined by dots; a value that is none has none. */
export function leavesOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => {
    const inner = leavesOf(below);
    return inner.length === 0 ? [key] : inner.map((name) => `${key}.${name}`);
  });
}

const known = new Map<string, ReadonlyMap<string, number>>();

/** The place of each state of a machine that has none in it, in the order in which its config lists them. */
export function statesInOrder(definition: string | undefined): ReadonlyMap<string, number> {
  if (definition === undefined) return new Map();
  const kept = known.get(definition);
  if (kept !== undefined) return kept;
  const places = new Map<string, number>();
  const add = (config: unknown, name: string, level: number): void => {
    if (level > deepest || places.size >= mostPlaces) return;
    const { states, type } = Object(config) as { states?: unknown; type?: unknown };
    const children = Object.entries(Object(states) as object);
    if (children.length === 0 && name !== '' && type !== 'history') places.set(name, places.size);
    for (const [key, child] of children) add(child, name === '' ? key : `${name}.${key}`, level + 1);
  };
  add(parsed(definition), '', 0);
  for (const oldest of known.keys()) {
    if (known.size < mostDefinitions) break;
    known.delete(oldest);
  }
  known.set(definition, places);
  return places;
}

/** A thread made it: it may be anything. */
function parsed(definition: string): unknown {
  try {
    return JSON.parse(definition) as unknown;
  } catch {
    return undefined;
  }
}
