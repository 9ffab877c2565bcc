import type { ConfigPath } from '../config/finding.ts';
import { isHeader } from './header-keys.ts';
import { isResidue, type KeptCredential } from './kept-values.ts';
import { type OldFiles, placeIn, type PlainCredential } from './old-files.ts';
import type { OldReferences } from './old-references.ts';
import { namesOf, type OldSecret } from './proposed-grants.ts';

export interface Secrets {
  readonly kept: readonly KeptCredential[];
  /** Their ids in the store. */
  readonly ids: readonly string[];
  /** The provider that reads the store. */
  readonly alias: string;
  readonly references: OldReferences;
  /** Whether an alias is one under which variables are read. */
  readonly isEnvAlias: (alias: string) => boolean;
}

/** All secrets that the agents used: those that are kept now, and those that were somewhere else already. */
export function secretsOf(old: OldFiles, secrets: Secrets): OldSecret[] {
  const { kept, ids, alias, references, isEnvAlias } = secrets;
  const variables = variablesOf(old, secrets);
  const plain = kept.flatMap(({ places }, n): OldSecret[] => {
    // What only a backup has was in use once.
    if (places.every(({ file }) => isResidue(old, file))) return [];
    const ref = { provider: alias, id: ids[n] ?? '' };
    const inConfig = places.filter(({ keys }) => keys !== undefined);
    const [shown] = inConfig.length > 0 ? [] : places;
    // What stood at several places of the config belongs to the agents of all of them.
    return inConfig.concat(shown ?? []).map((place): OldSecret => {
      const { file, line, keys } = place;
      const format = isHeader(keys) ? '{}' : undefined;
      const isUnused = isEnv(old, place) && variables.get(place.path) !== ref.id;
      return {
        names: namesOf(place),
        ref,
        place: placeIn(file, line, old.config.file),
        keys,
        format,
        isUnused,
      };
    });
  });
  const used = references.references.map(({ keys, ref, format }): OldSecret => {
    const names = keys.filter((key) => typeof key === 'string');
    const id = isEnvAlias(ref.provider) ? variables.get(ref.id) : undefined;
    const place = old.placeOf(keys);
    return { names, keys, place, ref: id === undefined ? ref : { provider: alias, id }, format };
  });
  const isUsed = new Set(used.map(({ ref }) => JSON.stringify(ref)));
  // Of a variable that the config names, the place where it is used says more.
  return [
    ...plain.filter(
      ({ keys, ref }) => (keys !== undefined && !isVariable(keys)) || !isUsed.has(JSON.stringify(ref)),
    ),
    ...used,
  ];
}

/** The ids of the variables that have left, by their names. */
function variablesOf(old: OldFiles, { kept, ids }: Secrets): ReadonlyMap<string, string> {
  const found = kept.flatMap(({ places }, n) =>
    places
      .filter((place) => isEnv(old, place) || isVariable(place.keys))
      .map((place) => ({ place, id: ids[n] ?? '' })),
  );
  // Of one that is written twice the last counts, `.env` before its versions, and both before the config.
  const order = ({ file, keys }: PlainCredential): number => (keys === undefined ? -file.length : -Infinity);
  const sorted = found.toSorted(
    (a, b) => compare(order(a.place), order(b.place)) || a.place.line - b.place.line,
  );
  return new Map(sorted.map(({ place, id }) => [String(place.keys?.at(-1) ?? place.path), id]));
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function isEnv({ files }: OldFiles, { file }: PlainCredential): boolean {
  return files.some((one) => one.file === file && one.kind === 'env' && !one.isResidue);
}

/** `env: { NAME: value }` of an old config, and `env.vars`. */
function isVariable(keys: ConfigPath | undefined): boolean {
  return keys?.[0] === 'env' && (keys.length === 2 || (keys.length === 3 && keys[1] === 'vars'));
}
