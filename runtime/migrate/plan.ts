import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { agentSchema } from '../config/agent-schema.ts';
import { parseDocument } from '../config/document.ts';
import { type ConfigPath, entriesOf, isRecord, property } from '../config/finding.ts';
import { gatewaySchema } from '../config/gateway-schema.ts';
import { validateConfig } from '../config/load.ts';
import { findModules } from '../config/modules.ts';
import { configSchema } from '../config/schema.ts';
import { closest } from '../config/suggest.ts';
import { auditFiles } from '../secrets-audit/audit.ts';
import { builtinProviders } from '../secrets/builtin-providers.ts';
import type { Choices } from './choices.ts';
import { Json5Edit } from './json5-edit.ts';
import { isFormKey, oldAgents, type OldAgent } from './old-agents.ts';
import { projectOf } from '../project.ts';
import { type OldFile, type OldFiles, type PlainCredential } from './old-files.ts';
import { namesOf, type OldSecret, type Proposal, proposalsFor, referencesIn } from './proposed-grants.ts';
import { credentialsIn, valueFree, withoutValues } from './value-free.ts';

/** The provider of the values that leave a config. */
const KEPT = 'kept';

/** What an old config may have in an agent that ours has no key for, also where it looks like one of ours. */
const OLD_AGENT_KEYS: ReadonlySet<string> = new Set(
  [
    'id',
    'name',
    'default',
    'model',
    'models',
    'workspace',
    'agentDir',
    'identity',
    'tools',
    'sandbox',
    'skills',
  ].concat(['subagents', 'groupChat', 'heartbeat', 'memorySearch', 'humanDelay', 'params', 'runtime', 'env']),
);

/** What an old config may have under `gateway` that ours has no key for, also where it looks like one of ours. */
const OLD_GATEWAY_KEYS: ReadonlySet<string> = new Set(
  ['mode', 'bind', 'auth', 'controlUi', 'remote', 'http', 'nodes', 'tools', 'token', 'trustedProxies'].concat(
    ['allowRealIpFallback', 'customBindHost', 'tailscale', 'password', 'push'],
  ),
);

/** A file as it is and as it is to be. */
export interface Change {
  readonly file: string;
  /** Undefined for a file that is new. */
  readonly before?: string;
  readonly after: string;
  readonly mode?: number;
}

/** A value that goes into the store. */
export interface KeptCredential {
  readonly id: string;
  readonly value: string;
  /** All places where it stood; several have the same value. */
  readonly places: readonly PlainCredential[];
}

/** What a migration is going to do. Nothing of it has been done. */
export interface Plan {
  readonly file: string;
  /** The folder of the store that values go to. */
  readonly root: string;
  readonly kept: readonly KeptCredential[];
  readonly agents: readonly { readonly name: string; readonly isNew: boolean }[];
  readonly proposals: readonly Proposal[];
  /** Keys that leave the config, by their paths. */
  readonly removed: readonly string[];
  /** What only a person can do. */
  readonly todos: readonly string[];
  /** The changes, with the ids that the store gave; in the order to make them, the config last. */
  changes(ids: readonly string[]): Promise<readonly Change[]>;
}

/**
 * Decides what becomes of a config. Reads nothing but whether modules are there.
 *
 * @throws {ConfigError} `CONFIG_INVALID` when the config would not be valid afterwards
 */
export async function planMigration(old: OldFiles, store: string, choices?: Choices): Promise<Plan> {
  const file = old.config.file;
  const root = join(store, projectOf(dirname(file)));
  const kept = keptOf(old, choices);
  const agents = oldAgents(old.root);
  const planned = kept.map(({ id }) => id);
  const proposals = (ids: readonly string[]) =>
    proposalsFor(secretsOf(old, kept, ids), agents, old.root).map((one) => decided(one, choices));
  const proposed = proposals(planned);
  choices?.assertKnown({
    credentials: old.credentials,
    secrets: proposed.map(({ secret }) => secret),
    agents: agents.map(({ name }) => name),
  });
  const edited = (ids: readonly string[]) => editConfig(old, root, kept, ids, agents, proposals(ids));
  const changes = async (ids: readonly string[]): Promise<readonly Change[]> => {
    const { text } = edited(ids);
    const values = kept.map(({ value }) => value);
    const after = await withoutValues(text, values);
    await validateConfig(parseDocument(after).value as object);
    const refs = new Map(kept.map(({ value }, n) => [value, `${KEPT}:${ids[n]}`]));
    const others = await Promise.all(
      old.files
        .filter(({ kind }) => kind !== 'config')
        .map(async (one): Promise<Change> => {
          const change = { file: one.file, before: one.text, after: await cleaned(one, refs) };
          return one.isResidue ? Object.assign(change, { mode: 0o600 }) : change;
        }),
    );
    const changed = others.filter(({ before, after: now }) => before !== now);
    if (after === old.config.text) return changed;
    const free = await valueFree(
      old.config.text,
      credentialsIn(old.config.text) ?? [],
      ({ value }) => refs.get(value) ?? KEPT,
    );
    return [
      { file: backupOf(file), after: await withoutValues(free, values), mode: 0o600 },
      ...changed,
      { file, before: old.config.text, after },
    ];
  };
  const first = await changes(planned);
  const { removed, text } = edited(planned);
  return {
    file,
    root,
    kept,
    agents: agents.map(({ name, form }) => ({ name, isNew: form !== 'own' })),
    proposals: proposed,
    removed,
    todos: await todosOf(old, first, proposed, parseDocument(text).value),
    changes,
  };
}

/** A proposal, or what was decided about it. */
function decided(proposal: Proposal, choices: Choices | undefined): Proposal {
  const choice = choices?.grantOf(proposal.secret);
  return choice === undefined ? proposal : { secret: proposal.secret, ...choice };
}

function backupOf(file: string): string {
  for (let n = 1; ; n += 1) {
    const backup = n === 1 ? `${file}.backup` : `${file}.backup-${n}`;
    if (!existsSync(backup)) return backup;
  }
}

/** One for each value; the names in the config go before those in what lies beside it. */
function keptOf(old: OldFiles, choices?: Choices): KeptCredential[] {
  const { credentials, config } = old;
  const byValue = new Map<string, PlainCredential[]>();
  for (const one of credentials) byValue.set(one.value, [...(byValue.get(one.value) ?? []), one]);
  const taken = new Set<string>();
  return Array.from(byValue, ([value, places]) => {
    const [first] = places.toSorted(
      (a, b) => Number(b.file === config.file) - Number(a.file === config.file),
    );
    const isOld = places.every(({ file }) => isResidue(old, file));
    const folder = isOld ? ['backups', basename(first?.file ?? '')] : [];
    const name = folder
      .concat(first?.keys?.map(String) ?? [first?.path ?? 'secret'])
      .map((part) => part.replaceAll(/[^\w.-]+/g, '-').replace(/^\.+$/, '-'))
      .join('/');
    let id = choices?.idOf(places) ?? name;
    // A file cannot be a folder too.
    for (let n = 2; isTaken(taken, id); n += 1) id = `${name}-${n}`;
    taken.add(id);
    return { id, value, places };
  });
}

function isTaken(taken: ReadonlySet<string>, id: string): boolean {
  return [...taken].some((other) => other === id || other.startsWith(`${id}/`) || id.startsWith(`${other}/`));
}

/** All secrets that the agents used: those that are kept now, and those that were somewhere else already. */
function secretsOf(old: OldFiles, kept: readonly KeptCredential[], ids: readonly string[]): OldSecret[] {
  const variables = new Map<string, string>();
  const plain = kept.flatMap(({ places }, n): OldSecret[] => {
    // What only a backup has was in use once.
    if (places.every(({ file }) => isResidue(old, file))) return [];
    const ref = { provider: KEPT, id: ids[n] ?? '' };
    const envPlaces = places.filter(({ file }) => isEnv(old, file));
    for (const { path } of envPlaces) variables.set(path, ref.id);
    const inConfig = places.filter(({ keys }) => keys !== undefined);
    const [shown] = inConfig.length > 0 ? [] : places;
    // What stood at several places of the config belongs to the agents of all of them.
    return inConfig.concat(shown ?? []).map((place): OldSecret => {
      const names = namesOf(place);
      return place.keys === undefined ? { names, ref } : { names, keys: place.keys, ref };
    });
  });
  const references = referencesIn(old.root).map(({ keys, ref }): OldSecret => {
    const names = keys.filter((key) => typeof key === 'string');
    const id = ref.provider === 'env' ? variables.get(ref.id) : undefined;
    return { names, keys, ref: id === undefined ? ref : { provider: KEPT, id } };
  });
  const used = new Set(references.map(({ ref }) => JSON.stringify(ref)));
  // Of a variable that the config names, the place where it is used says more.
  return [
    ...plain.filter(({ keys, ref }) => keys !== undefined || !used.has(JSON.stringify(ref))),
    ...references,
  ];
}

function isResidue({ files }: OldFiles, file: string): boolean {
  return files.find((one) => one.file === file)?.isResidue === true;
}

function isEnv({ files }: OldFiles, file: string): boolean {
  return files.find((one) => one.file === file)?.kind === 'env';
}

interface Edited {
  readonly text: string;
  readonly removed: readonly string[];
}

function editConfig(
  old: OldFiles,
  folder: string,
  kept: readonly KeptCredential[],
  ids: readonly string[],
  agents: readonly OldAgent[],
  proposals: readonly Proposal[],
): Edited {
  const edit = new Json5Edit(old.config.text);
  const written = parseDocument(old.config.text).value;
  const removed: string[] = [];
  const remove = (path: ConfigPath): void => {
    edit.remove(path);
    removed.push(path.join('.'));
  };
  joinIncludes(edit, written, old.root);
  const known = Object.keys(configSchema.shape);
  for (const [key] of entriesOf(old.root)) if (isForeign(key, known)) remove([key]);
  const grants = new Map(agents.map(({ name }) => [name, grantsOf(name, proposals)]));
  moveAgents(edit, old.root, agents, grants, remove);
  clearGateway(property(old.root, 'gateway'), remove);
  // A credential that stands where a key of ours is, such as a variable of a pool.
  for (const { keys } of kept.flatMap(({ places }) => places)) {
    if (keys === undefined || isWithin(keys, removed)) continue;
    const isOurs = known.includes(String(keys[0])) && keys[0] !== 'agents';
    if (isOurs && typeof keys.at(-1) === 'string') remove(keys);
  }
  const refs = [...grants.values()].flatMap((one) => Object.values(one).map(({ ref }) => ref));
  setProviders(edit, old.root, folder, ids.length > 0, refs, remove);
  return { text: edit.text, removed };
}

/** An include at the top may hold anything: what is ours comes into the config itself. */
function joinIncludes(edit: Json5Edit, written: unknown, root: unknown): void {
  if (property(written, '$include') === undefined) return;
  edit.remove(['$include']);
  for (const [key, value] of entriesOf(root)) {
    if (property(written, key) === undefined) edit.add([], key, value);
    else edit.set([key], value);
  }
}

function isForeign(key: string, known: readonly string[], old: ReadonlySet<string> = new Set()): boolean {
  if (known.includes(key)) return false;
  // What is close to a key of ours is a slip of the pen, and for a person to mend.
  return old.has(key) || closest(key, known) === undefined;
}

function isWithin(path: ConfigPath, removed: readonly string[]): boolean {
  return removed.some((one) => `${path.join('.')}.`.startsWith(`${one}.`));
}

/** Of an old gateway the port stays; who may come in, and from where, is for a person to write. */
function clearGateway(gateway: unknown, remove: (path: ConfigPath) => void): void {
  if (gateway === undefined) return;
  const known = Object.keys(gatewaySchema.shape);
  const all = entriesOf(gateway);
  const old = all.filter(
    ([key, value]) =>
      isForeign(key, known, OLD_GATEWAY_KEYS) ||
      (key === 'reload' && isRecord(value)) ||
      (key === 'tls' && (property(value, 'cert') === undefined || property(value, 'key') === undefined)),
  );
  if (old.length === all.length) remove(['gateway']);
  else for (const [key] of old) remove(['gateway', key]);
}

type Grants = Readonly<Record<string, NonNullable<Proposal['grant']>>>;

function grantsOf(agent: string, proposals: readonly Proposal[]): Grants {
  const grants: Record<string, NonNullable<Proposal['grant']>> = {};
  for (const { agents, label, grant } of proposals) {
    if (grant === undefined || !agents.includes(agent)) continue;
    const isThere = Object.values(grants).some((one) => JSON.stringify(one) === JSON.stringify(grant));
    let name = label;
    for (let n = 2; Object.hasOwn(grants, name); n += 1) name = `${label}-${n}`;
    if (!isThere) grants[name] = grant;
  }
  return grants;
}

function moveAgents(
  edit: Json5Edit,
  root: unknown,
  agents: readonly OldAgent[],
  grants: ReadonlyMap<string, Grants>,
  remove: (path: ConfigPath) => void,
): void {
  const old = property(root, 'agents');
  const isOld =
    agents.some(({ form }) => form !== 'own') || Object.keys(old ?? {}).some((key) => isFormKey(old, key));
  const isIncluded = JSON.stringify(parseDocument(edit.text).value ?? null).includes('"$include"');
  if (isOld || (isIncluded && agents.some((agent) => changes(agent, grants)))) {
    const entries = agents.map((agent) => [agent.name, newAgent(agent, grants)] as const);
    const comments = new Map(
      agents.filter(({ form }) => form !== 'implied').map(({ name, path }) => [name, commentsAt(edit, path)]),
    );
    if (old === undefined) edit.add([], 'agents', Object.fromEntries(entries));
    else edit.set(['agents'], Object.fromEntries(entries), comments);
    return;
  }
  if (old === undefined) edit.add([], 'agents', {});
  for (const agent of agents) {
    for (const key of foreignKeys(agent)) remove([...agent.path, key]);
    const own = grants.get(agent.name) ?? {};
    if (Object.keys(own).length === 0) continue;
    if (isRecord(agent.value['secrets'])) {
      for (const [label, grant] of Object.entries(own)) {
        if (!Object.hasOwn(agent.value['secrets'], label)) edit.add([...agent.path, 'secrets'], label, grant);
      }
    } else edit.add(agent.path, 'secrets', own);
  }
}

/** Of what stands in an included file, the comments stay there. */
function commentsAt(edit: Json5Edit, path: ConfigPath): string[] {
  let value = parseDocument(edit.text).value;
  for (const key of path) value = property(value, key);
  return value === undefined ? [] : edit.commentsOf(path);
}

function foreignKeys({ value }: OldAgent): string[] {
  const known = Object.keys(agentSchema.shape);
  return Object.keys(value).filter((key) => isForeign(key, known, OLD_AGENT_KEYS));
}

function changes(agent: OldAgent, grants: ReadonlyMap<string, Grants>): boolean {
  return foreignKeys(agent).length > 0 || Object.keys(grants.get(agent.name) ?? {}).length > 0;
}

function newAgent(agent: OldAgent, grants: ReadonlyMap<string, Grants>): object {
  const { name, form, value } = agent;
  const foreign = foreignKeys(agent);
  const own =
    form === 'own'
      ? Object.fromEntries(Object.entries(value).filter(([key]) => !foreign.includes(key)))
      : // One thread of its own for each: agents of one thread share everything.
        { type: 'thread-bound', threadId: name, maxThreads: 1 };
  const secrets = { ...(isRecord(value['secrets']) ? value['secrets'] : {}), ...grants.get(name) };
  return { ...own, ...(Object.keys(secrets).length > 0 && { secrets }) };
}

function setProviders(
  edit: Json5Edit,
  root: unknown,
  folder: string,
  hasKept: boolean,
  refs: readonly unknown[],
  remove: (path: ConfigPath) => void,
): void {
  const secrets = property(root, 'secrets');
  const declared = property(secrets, 'providers');
  for (const [key] of entriesOf(secrets))
    if (!['providers', 'maxEntries'].includes(key)) remove(['secrets', key]);
  const providers: Record<string, unknown> = {};
  for (const [alias, config] of entriesOf(declared)) {
    const source = property(config, 'source');
    if (typeof source === 'string') providers[alias] = translated(source, config);
  }
  if (hasKept) providers[KEPT] = { provider: 'file', root: folder };
  const wanted = new Set(refs.map((ref) => property(ref, 'provider')));
  const hasEnv = property(declared, 'env') !== undefined;
  if (wanted.has('env') && !hasEnv) providers['env'] = { provider: 'env' };
  for (const [alias, config] of Object.entries(providers)) {
    if (property(declared, alias) !== undefined) {
      const isSame = JSON.stringify(property(declared, alias)) === JSON.stringify(config);
      if (!isSame) edit.set(['secrets', 'providers', alias], config);
    } else if (declared !== undefined) edit.add(['secrets', 'providers'], alias, config);
  }
  if (declared !== undefined || Object.keys(providers).length === 0) return;
  if (secrets === undefined) edit.add([], 'secrets', { providers });
  else edit.add(['secrets'], 'providers', providers);
}

/** A declaration of OpenClaw's: its `source` is our `provider`, and the options have the same names. */
function translated(source: string, config: unknown): object {
  const names = builtinProviders.get(source)?.optionNames ?? [];
  const allowed = property(config, 'allowlist');
  return {
    provider: source,
    ...Object.fromEntries(entriesOf(config).filter(([key]) => names.includes(key))),
    ...(source === 'env' && Array.isArray(allowed) && { variables: allowed }),
  };
}

/** What lies beside a config, without the values. */
async function cleaned({ text, kind }: OldFile, refs: ReadonlyMap<string, string>): Promise<string> {
  const values = [...refs.keys()];
  if (kind === 'env') {
    return text
      .split('\n')
      .map((line) => {
        const value = values.find((one) => line.includes(one));
        const [, name = ''] = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=/.exec(line) ?? [];
        return value === undefined ? line : `# ${name || 'a line'} is ${refs.get(value)} now`;
      })
      .join('\n');
  }
  if (kind === 'text') return text;
  const free = await valueFree(text, credentialsIn(text) ?? [], ({ value }) => refs.get(value) ?? KEPT);
  return withoutValues(free, values);
}

async function todosOf(
  old: OldFiles,
  changes: readonly Change[],
  proposals: readonly Proposal[],
  root: unknown,
): Promise<string[]> {
  const folder = dirname(old.config.file);
  const { findings } = await findModules(root, folder);
  const modules = findings.map(
    ({ path }) => `write agents/${path[1]}.ts: the module of the agent ${path[1]}`,
  );
  const grants = proposals
    .filter(({ grant, agents }) => grant === undefined || agents.length === 0)
    // That is who may come in, and nothing that an agent uses.
    .filter(({ secret }) => secret.keys?.[0] !== 'gateway')
    .map(({ secret, grant, agents }) => {
      const { provider, id } = secret.ref;
      const who = agents.length === 0 ? 'the agents that need it' : agents.join(', ');
      const how = grant === undefined ? ', with its hosts' : '';
      return `grant ${provider}:${id} to ${who}${how}: nothing may use it until then`;
    });
  const after = new Map(changes.map(({ file, after: text }) => [file, text]));
  const files = old.files.map(({ file, text, isResidue }) => ({
    file,
    text: after.get(file) ?? text,
    isResidue,
  }));
  const left = await auditFiles({ files, unread: [] });
  const residue = left.findings
    .filter(({ code }) => code !== 'PLACEHOLDER_VALUE')
    .map(({ file, line }) => `${basename(file)}:${line} still has a credential, and is no config: delete it`);
  const unread = old.unread.map(({ file, why }) => `look into ${basename(file)} yourself: ${why}`);
  const lost = changes.some(({ after: text }) => text.includes('removed: it held a credential'))
    ? [
        'where it says "removed: it held a credential", a comment or a text had one: the old file is kept, see --undo',
      ]
    : [];
  return [...modules, ...new Set([...grants, ...residue, ...unread, ...lost])];
}
