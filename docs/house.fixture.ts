import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { roomOf } from '../scripts/house/import-graph.ts';

/** A room as its rule describes it, by names as `docs/architecture.md` writes them. */
export interface Rule {
  /** Rooms, and files of rooms. */
  readonly imports: readonly string[];
  /** Of these the types alone. */
  readonly types: readonly string[];
  /** Packages, where it may not import them all. */
  readonly packages: readonly string[];
  readonly packageTypes: readonly string[];
}

interface Pattern {
  readonly regex?: string;
  readonly group?: readonly string[];
  readonly allowTypeImports?: boolean;
}

interface Override {
  readonly files: readonly string[];
  readonly rules: Readonly<
    Record<string, 'off' | readonly [string, { readonly patterns: readonly Pattern[] }]>
  >;
}

/** What each room may import, as the linter is told. */
export function rulesOfRooms(root: string): ReadonlyMap<string, Rule> {
  const { overrides } = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as {
    readonly overrides: readonly Override[];
  };
  const rules = overrides.flatMap(({ files, rules: { 'eslint/no-restricted-imports': rule } }) => {
    if (rule === undefined || rule === 'off') return [];
    return files.map((glob) => [glob, rule[1].patterns] as const);
  });
  const folders = rules.map(([glob]) => folderOf(glob));
  return new Map(
    rules.map(([glob, patterns]) => [shortName(folderOf(glob)), ruleOf(glob, patterns, folders)]),
  );
}

/** As the page writes it: without `runtime/`. */
export function shortName(path: string): string {
  return path.replace(/^runtime\//, '');
}

function ruleOf(glob: string, patterns: readonly Pattern[], folders: readonly string[]): Rule {
  const room = folderOf(glob);
  const base = room.endsWith('.ts') ? posix.dirname(room) : room;
  const admitted = patterns
    .flatMap(({ group = [] }) => group)
    .filter((one) => one.startsWith('!') && one !== '!./**')
    .flatMap((one) => alternatives(one.slice(1)))
    .map((one) => one.replace(/\/\*\*$/, ''));
  const typesOnly = patterns.flatMap(({ regex, allowTypeImports }) =>
    allowTypeImports === true && regex !== undefined ? [new RegExp(regex)] : [],
  );
  // No rule forbids a room those within it.
  const within = folders.filter(
    (one) => glob === `${room}/*` && one.startsWith(`${room}/`) && roomOf(`${one}/x.ts`) === one,
  );
  const isTypesOnly = (one: string): boolean => {
    const specifier = one.endsWith('.ts') || one.includes(':') ? one : `${one}/`;
    return typesOnly.some((regex) => regex.test(specifier));
  };
  const select = (ofProject: boolean, ofTypes: boolean): string[] =>
    admitted.filter((one) => one.startsWith('.') === ofProject && isTypesOnly(one) === ofTypes);
  const named = (paths: readonly string[]): string[] => paths.map((one) => shortName(posix.join(base, one)));
  return {
    imports: sorted([...within.map(shortName), ...named(select(true, false))]),
    types: sorted(named(select(true, true))),
    packages: sorted(select(false, false)),
    packageTypes: sorted(select(false, true)),
  };
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].toSorted();
}

function folderOf(glob: string): string {
  return glob.replace(/\/\*{1,2}$/, '');
}

/** `a/{b,c}` as `a/b` and `a/c`. */
function alternatives(glob: string): string[] {
  const [, before = '', inside, after = ''] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(glob) ?? [];
  return inside === undefined ? [glob] : inside.split(',').map((one) => `${before}${one}${after}`);
}
