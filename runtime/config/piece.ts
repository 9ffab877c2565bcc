import type { ConfigPath } from './finding.ts';

/** Where a value was written: in which of the files that make up a config, and at which path of it. */
export interface Origin {
  readonly part: number;
  readonly path: ConfigPath;
}

/** A value that knows where each part of it was written. */
export interface Piece {
  readonly origin: Origin;
  readonly content:
    | { readonly members: ReadonlyMap<string, Piece> }
    | { readonly items: readonly Piece[] }
    | { readonly scalar: unknown };
}

/** Objects are joined key by key, at any depth; of all else the later stands. */
export function merge(earlier: Piece, later: Piece): Piece {
  if (!('members' in earlier.content) || !('members' in later.content)) return later;
  const members = new Map(earlier.content.members);
  for (const [key, piece] of later.content.members) {
    const before = members.get(key);
    members.set(key, before === undefined ? piece : merge(before, piece));
  }
  return { origin: later.origin, content: { members } };
}

/** The plain value, and by path of it where it was written. */
export function flatten(piece: Piece): { value: unknown; origins: ReadonlyMap<string, Origin> } {
  const origins = new Map<string, Origin>();
  const walk = ({ origin, content }: Piece, path: ConfigPath): unknown => {
    origins.set(JSON.stringify(path), origin);
    if ('items' in content) return content.items.map((item, n) => walk(item, [...path, n]));
    if ('members' in content) {
      return Object.fromEntries(
        Array.from(content.members, ([key, member]) => [key, walk(member, [...path, key])]),
      );
    }
    return content.scalar;
  };
  return { value: walk(piece, []), origins };
}
