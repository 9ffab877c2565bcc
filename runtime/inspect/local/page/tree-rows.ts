import type { Actor, Actors } from './actors.ts';

export interface Row {
  readonly actor: Actor;
  /** From 1. */
  readonly level: number;
  /** Undefined: nothing is below it. */
  readonly isOpen: boolean | undefined;
  /** Its place among its siblings, from 1, and their number. */
  readonly place: number;
  readonly siblings: number;
}

/** What the tree is to show; without either, all of it. */
export interface Filter {
  /** A part of a name or an id. */
  readonly text: string;
  /** The ids of those that were found elsewhere. */
  readonly found?: ReadonlySet<string>;
}

export interface TreeView {
  /** Which are shown, with all that they are in. */
  readonly filter: Filter;
  /** Those that somebody opened or closed. */
  readonly opened: ReadonlyMap<string, boolean>;
}

/** The rows of the tree, from the top. */
export function treeRows(actors: Actors, { filter, opened }: TreeView): Row[] {
  const wanted = isFilter(filter) ? matching(actors, filter) : undefined;
  const rows: Row[] = [];
  const add = (ids: readonly string[], level: number): void => {
    const shown = ids
      .flatMap((id) => actors.byId.get(id) ?? [])
      .filter((actor) => wanted?.has(actor.id) !== false && !isPlumbing(actor));
    for (const [n, actor] of shown.entries()) {
      const children = Array.from(actor.children).filter((id) => !isPlumbing(actors.byId.get(id)));
      const isOpen = wanted !== undefined || (opened.get(actor.id) ?? isOpenAtFirst(actor));
      const place = { level, place: n + 1, siblings: shown.length };
      rows.push({ actor, ...place, isOpen: children.length === 0 ? undefined : isOpen });
      if (isOpen) add(children, level + 1);
    }
  };
  add(
    [...actors.byId.values()].flatMap(({ id, parentId }) =>
      parentId === undefined || !actors.byId.has(parentId) ? [id] : [],
    ),
    1,
  );
  return rows;
}

/** What the runtime's machines invoke, which has no states to look at. */
function isPlumbing(actor: Actor | undefined): boolean {
  return actor?.kind === 'runtime' && actor.definition === undefined && actor.children.size === 0;
}

/** Down to the instances; their children, and the runtime's own machines, are for who looks closer. */
function isOpenAtFirst({ kind, id }: Actor): boolean {
  return kind === 'pool' || kind === 'thread' || id === 'supervisor';
}

export function isFilter({ text, found }: Filter): boolean {
  return text !== '' || found !== undefined;
}

function matching(actors: Actors, { text, found }: Filter): Set<string> {
  const wanted = new Set<string>();
  const part = text.toLowerCase();
  for (const { id, name } of actors.byId.values()) {
    if (found?.has(id) === false) continue;
    if (!id.toLowerCase().includes(part) && !name.toLowerCase().includes(part)) continue;
    for (const actor of actors.lineage(id)) wanted.add(actor.id);
  }
  return wanted;
}
