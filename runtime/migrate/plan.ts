import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ConfigPath, property } from '../config/finding.ts';
import { projectOf } from '../base/project.ts';
import { bareConfig } from './bare-config.ts';
import { differences, readResult, type Result, resultError } from './check-result.ts';
import type { Choices } from './choices.ts';
import type { Change } from './change.ts';
import { cleanedFiles } from './cleaned-files.ts';
import { keptOf, type KeptCredential, secretPartsOf } from './kept-values.ts';
import { grantsByAgent, type NewConfig, newConfig } from './new-config.ts';
import { oldAgents, type OldAgent } from './old-agents.ts';
import type { OldFiles } from './old-files.ts';
import { freeAlias, oldProviders } from './old-providers.ts';
import { referencesIn } from './old-references.ts';
import { secretsOf } from './old-secrets.ts';
import { type Proposal, proposalsFor } from './proposed-grants.ts';
import { type Search, searchFor } from './search.ts';
import { type Removed, type Strange, todosOf } from './todos.ts';

/** The provider of the values that leave a config, unless a config has another one of that name. */
const KEPT = 'kept';

/** What a migration is going to do. Nothing of it has been done. */
export interface Plan {
  readonly file: string;
  /** The folder of the store that values go to. */
  readonly root: string;
  /** The alias of the provider that reads them there. */
  readonly alias: string;
  readonly kept: readonly KeptCredential[];
  readonly agents: readonly { readonly name: string; readonly threadId: string; readonly isNew: boolean }[];
  readonly proposals: readonly Proposal[];
  readonly removed: readonly Removed[];
  /** What only a person can do. */
  readonly todos: readonly string[];
  /**
   * The changes, with the ids that the store gave; in the order to make them, the config last.
   *
   * @throws {ConfigError} `CONFIG_INVALID` when the new config would not be what the plan says
   */
  changes(ids: readonly string[]): Promise<readonly Change[]>;
}

/**
 * Decides what becomes of a config. Reads nothing but whether modules are there.
 *
 * @throws {ConfigError} `CONFIG_INVALID` when the config would not be valid afterwards
 */
export async function planMigration(old: OldFiles, store: string, choices?: Choices): Promise<Plan> {
  const file = old.config.file;
  const folder = join(store, projectOf(dirname(file)));
  const kept = keptOf(old, choices);
  const search = searchFor(kept.flatMap(({ value }) => [value, ...secretPartsOf(value)]));
  const bare = await bareConfig(old, search);
  const isCredential = new Set(old.credentials.map(({ keys }) => JSON.stringify(keys)));
  const agents = oldAgents(old.root, (path) => isCredential.has(JSON.stringify(path)));
  const providers = oldProviders(bare.root);
  const alias = keptAlias(old.root, folder);
  const references = referencesIn(old.root, providers);
  const isEnvAlias = (name: string): boolean =>
    name === providers.env || property(providers.taken.get(name), 'provider') === 'env';
  const proposals = (ids: readonly string[]): Proposal[] =>
    proposalsFor(secretsOf(old, { kept, ids, alias, references, isEnvAlias }), agents, old.root).map((one) =>
      decided(one, choices),
    );
  const planned = kept.map(({ id }) => id);
  const proposed = proposals(planned);
  choices?.assertKnown({
    credentials: old.credentials,
    secrets: proposed.map(({ secret }) => secret),
    agents: agents.map(({ name }) => name),
  });
  const credentials = old.credentials.flatMap(({ keys }) => (keys === undefined ? [] : [keys]));
  const build = async (ids: readonly string[], left: readonly ConfigPath[]): Promise<Built> => {
    const config = newConfig({
      text: bare.text,
      root: bare.root,
      before: old.root,
      credentials,
      agents,
      proposals: proposals(ids),
      providers,
      ...(ids.length > 0 && { kept: { alias, folder } }),
      left,
    });
    const others = await cleanedFiles(old, { kept, refs: ids.map((id) => `${alias}:${id}`), search });
    const texts = new Map(others.changes.map((change) => [change.file, change.after]));
    const result = await readResult(file, texts.set(file, config.text));
    return { config, others, result };
  };
  const { built: first, left } = await settled(agents, old, search, (strange) => build(planned, strange));
  const changes = async (ids: readonly string[]): Promise<readonly Change[]> => {
    const { config, others, result } = await build(
      ids,
      left.map(({ path }) => path),
    );
    const expected = { agents, grants: grantsByAgent(agents, proposals(ids)) };
    const findings = [...result.findings, ...differences(result, expected, old)];
    if (findings.length > 0) throw resultError(findings, agents, old, search);
    const changed = others.changes.filter(({ before, after }) => before !== after);
    if (config.text === old.config.text) return changed;
    return [
      { file: backupOf(file), after: others.backup, mode: 0o600 },
      ...changed,
      { file, before: old.config.text, after: config.text },
    ];
  };
  const made = await changes(planned);
  // A name stays whatever it looks like.
  const named = agents
    .filter(({ name, form }) => form !== 'own' && search.in(name).cuts.length > 0)
    .map(({ path }) => old.placeOf(path));
  const removed = first.config.removed
    .concat(providers.dropped)
    .map((path): Removed => ({ path, place: old.placeOf(path) }));
  return {
    file,
    root: folder,
    alias,
    kept,
    agents: agents.map((agent) => ({
      name: agent.name,
      threadId: threadOf(agent),
      isNew: agent.form !== 'own',
    })),
    proposals: proposed,
    removed,
    todos: await todosOf({
      old,
      changes: made,
      proposals: proposed,
      agents,
      providers,
      standIns: references.standIns,
      removed,
      left,
      doubts: [...bare.doubts, ...first.others.doubts, ...named],
      disputed: first.others.disputed,
      result: first.result,
    }),
    changes,
  };
}

interface Built {
  readonly config: NewConfig;
  readonly others: Awaited<ReturnType<typeof cleanedFiles>>;
  readonly result: Result;
}

/** Sections of an old config in which a single member may be left. */
const LOOSE = new Set(['gateway', 'inspect', 'threads']);

/**
 * Builds a new config. What ours could not read in a section of an old one is left to a person: it does not stop all of it. What
 * is wrong with an agent does, and so does whatever is wrong with a config that is ours already: a slip of the pen, as a rule.
 */
async function settled(
  agents: readonly OldAgent[],
  old: OldFiles,
  search: Search,
  build: (left: readonly ConfigPath[]) => Promise<Built>,
): Promise<{ built: Built; left: readonly Strange[] }> {
  const isOld = agents.some(({ form }) => form !== 'own');
  const left: Strange[] = [];
  for (;;) {
    const built = await build(left.map(({ path }) => path));
    const { findings } = built.result;
    if (findings.length === 0) return { built, left };
    const strange = findings.filter(
      ({ code, path }) => LOOSE.has(String(path[0])) || (code === 'unknown-key' && path.length === 1),
    );
    const isNew = strange.every(
      (one) => !left.some(({ path }) => path.join('.') === memberOf(one.path).join('.')),
    );
    if (!isOld || strange.length < findings.length || !isNew)
      throw resultError(findings, agents, old, search);
    for (const { path, message } of strange) {
      const member = memberOf(path);
      if (!left.some((one) => one.path.join('.') === member.join('.')))
        left.push({ path: member, why: search.hide(message) });
    }
  }
}

/** The member of a section that something is wrong with. */
function memberOf(path: ConfigPath): ConfigPath {
  return path.slice(0, 2);
}

/** A proposal, or what was decided about it. */
function decided(proposal: Proposal, choices: Choices | undefined): Proposal {
  const choice = choices?.grantOf(proposal.secret);
  return choice === undefined ? proposal : { secret: proposal.secret, ...choice };
}

function threadOf({ form, value, threadId }: OldAgent): string {
  const own = value['threadId'];
  return form === 'own' && typeof own === 'string' ? own : threadId;
}

function keptAlias(root: unknown, folder: string): string {
  const declared = property(property(root, 'secrets'), 'providers');
  return freeAlias(KEPT, (alias) => {
    const one = property(declared, alias);
    return one === undefined || (property(one, 'provider') === 'file' && property(one, 'root') === folder);
  });
}

function backupOf(file: string): string {
  for (let n = 1; ; n += 1) {
    const backup = n === 1 ? `${file}.backup` : `${file}.backup-${n}`;
    if (!existsSync(backup)) return backup;
  }
}
