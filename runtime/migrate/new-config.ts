import { agentSchema } from '../config/agent-schema.ts';
import { parseDocument } from '../config/document.ts';
import { type ConfigPath, entriesOf, isRecord, property, valueAt } from '../config/finding.ts';
import { gatewaySchema } from '../config/gateway-schema.ts';
import { configSchema } from '../config/schema.ts';
import { closest } from '../config/suggest.ts';
import { isFormKey } from './agent-forms.ts';
import { Json5Edit } from './json5-edit.ts';
import type { OldAgent } from './old-agents.ts';
import type { OldProviders } from './old-providers.ts';
import type { Proposal } from './proposed-grants.ts';

/** What an old config may have at its top that ours has no key for, also where it looks like one of ours. */
const OLD_KEYS: ReadonlySet<string> = new Set(['agent']);

/** The same in an agent. */
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

/** The same under `gateway`. */
const OLD_GATEWAY_KEYS: ReadonlySet<string> = new Set(
  ['mode', 'bind', 'auth', 'controlUi', 'remote', 'http', 'nodes', 'tools', 'token', 'trustedProxies'].concat(
    ['allowRealIpFallback', 'customBindHost', 'tailscale', 'password', 'push'],
  ),
);

/** What a new config is made of. */
export interface NewParts {
  /** The text of the old one, and all of it with what it includes; values that stood in longer texts are gone from both. */
  readonly text: string;
  readonly root: Readonly<Record<string, unknown>>;
  /** All of the old one. */
  readonly before: unknown;
  /** Where values stood that are kept. */
  readonly credentials: readonly ConfigPath[];
  readonly agents: readonly OldAgent[];
  readonly proposals: readonly Proposal[];
  readonly providers: OldProviders;
  /** The provider of the kept values; absent when there are none. */
  readonly kept?: { readonly alias: string; readonly folder: string };
  /** Members that leave it besides. */
  readonly left: readonly ConfigPath[];
}

export interface NewConfig {
  readonly text: string;
  /** What left the config. */
  readonly removed: readonly ConfigPath[];
}

type Grant = NonNullable<Proposal['grant']>;
type Grants = Readonly<Record<string, Grant>>;

/** Turns the text of an old config into one of ours. What is not changed stays as it was written. */
export function newConfig(parts: NewParts): NewConfig {
  const { root, before, agents, credentials } = parts;
  const edit = new Json5Edit(parts.text);
  const written = parseDocument(parts.text).value;
  const removed: ConfigPath[] = [];
  const remove = (path: ConfigPath): void => {
    bringIn(edit, { root, before }, path);
    edit.remove(path);
    removed.push(path);
  };
  joinIncludes(edit, written, root);
  const comments = commentsOf(edit, agents);
  const known = Object.keys(configSchema.shape);
  const gone = new Set(credentials.map((keys) => JSON.stringify(keys)));
  for (const [key] of entriesOf(before)) {
    if (isForeign(key, known, OLD_KEYS) || gone.has(JSON.stringify([key]))) remove([key]);
  }
  const grants = grantsByAgent(agents, parts.proposals);
  moveAgents(edit, parts, { grants, comments, gone }, remove);
  clearGateway(property(root, 'gateway'), remove);
  // A credential that stands where a key of ours is, such as a variable of a pool.
  for (const keys of credentials) {
    if (isWithin(keys, removed) || !known.includes(String(keys[0])) || keys[0] === 'agents') continue;
    // In a list, the others keep their places; what stood there is gone already.
    if (typeof keys.at(-1) === 'string') remove(keys);
  }
  for (const path of parts.left) if (!isWithin(path, removed)) remove(path);
  setProviders(edit, parts, [...grants.values()], remove);
  return { text: edit.text, removed };
}

/** What is to be changed and stands in an included file comes into the config itself. */
function bringIn(
  edit: Json5Edit,
  { root, before }: Pick<NewParts, 'root' | 'before'>,
  path: ConfigPath,
): void {
  const [section] = path;
  if (section === undefined || path.length < 2 || valueAt(before, path) === undefined) return;
  const here = parseDocument(edit.text).value;
  if (valueAt(here, path) !== undefined || !hasInclude(property(here, section))) return;
  edit.set([section], property(root, section));
}

function hasInclude(value: unknown): boolean {
  return JSON.stringify(value ?? null).includes('"$include"');
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

function isForeign(key: string, known: readonly string[], old: ReadonlySet<string>): boolean {
  if (known.includes(key)) return false;
  // What is close to a key of ours is a slip of the pen, and for a person to mend.
  return old.has(key) || closest(key, known) === undefined;
}

function isWithin(path: ConfigPath, removed: readonly ConfigPath[]): boolean {
  return removed.some((one) => one.every((key, n) => path[n] === key));
}

/** Of an old gateway the port stays; who may come in, and from where, is for a person to write. */
function clearGateway(gateway: unknown, remove: (path: ConfigPath) => void): void {
  if (gateway === undefined || (isRecord(gateway) && Object.keys(gateway).length === 0)) return;
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

/** The grants of each agent, by their labels. What is proposed twice is granted once. */
export function grantsByAgent(agents: readonly OldAgent[], proposals: readonly Proposal[]): AllGrants {
  return new Map(agents.map(({ name }) => [name, grantsOf(name, proposals)]));
}

function grantsOf(agent: string, proposals: readonly Proposal[]): Grants {
  const grants: Record<string, Grant> = {};
  for (const { agents, label, grant } of proposals) {
    if (grant === undefined || !agents.includes(agent)) continue;
    const isThere = Object.values(grants).some((one) => JSON.stringify(one) === JSON.stringify(grant));
    let name = label;
    for (let n = 2; Object.hasOwn(grants, name); n += 1) name = `${label}-${n}`;
    if (!isThere) grants[name] = grant;
  }
  return grants;
}

/** By the names of the agents. */
export type AllGrants = ReadonlyMap<string, Grants>;

/** What agents get, keep and lose. */
interface Moved {
  readonly grants: AllGrants;
  readonly comments: ReadonlyMap<string, readonly string[]>;
  /** Where credentials stood, as JSON: they leave whatever their names are like. */
  readonly gone: ReadonlySet<string>;
}

function moveAgents(
  edit: Json5Edit,
  { root, agents }: NewParts,
  moved: Moved,
  remove: (path: ConfigPath) => void,
): void {
  const { grants, comments } = moved;
  const old = property(root, 'agents');
  const isOld =
    agents.some(({ form }) => form !== 'own') || Object.keys(old ?? {}).some((key) => isFormKey(old, key));
  const isIncluded = hasInclude(property(parseDocument(edit.text).value, 'agents'));
  if (isOld || (isIncluded && agents.some((agent) => changes(agent, moved)))) {
    const entries = Object.fromEntries(agents.map((agent) => [agent.name, newAgent(agent, moved)] as const));
    if (old === undefined) edit.add([], 'agents', {});
    edit.set(['agents'], entries, comments);
    return;
  }
  if (old === undefined) edit.add([], 'agents', {});
  for (const agent of agents) {
    for (const key of foreignKeys(agent, moved)) remove([...agent.path, key]);
    const own = grants.get(agent.name) ?? {};
    if (Object.keys(own).length === 0) continue;
    if (isRecord(agent.value['secrets'])) {
      for (const [label, grant] of Object.entries(own)) {
        if (!Object.hasOwn(agent.value['secrets'], label)) edit.add([...agent.path, 'secrets'], label, grant);
      }
    } else edit.add(agent.path, 'secrets', own);
  }
}

/** Of each agent; of what stands in an included file, the comments stay there. */
function commentsOf(edit: Json5Edit, agents: readonly OldAgent[]): ReadonlyMap<string, readonly string[]> {
  const here = parseDocument(edit.text).value;
  return new Map(
    agents
      .filter(({ form, path }) => form !== 'implied' && valueAt(here, path) !== undefined)
      .map(({ name, path }) => [name, edit.commentsOf(path)]),
  );
}

function foreignKeys({ value, path }: OldAgent, { gone }: Moved): string[] {
  const known = Object.keys(agentSchema.shape);
  return Object.keys(value).filter(
    (key) => isForeign(key, known, OLD_AGENT_KEYS) || gone.has(JSON.stringify([...path, key])),
  );
}

function changes(agent: OldAgent, moved: Moved): boolean {
  return foreignKeys(agent, moved).length > 0 || Object.keys(moved.grants.get(agent.name) ?? {}).length > 0;
}

function newAgent(agent: OldAgent, moved: Moved): object {
  const { name, threadId, form, value } = agent;
  const foreign = foreignKeys(agent, moved);
  const own =
    form === 'own'
      ? Object.fromEntries(Object.entries(value).filter(([key]) => !foreign.includes(key)))
      : // One thread of its own for each: agents of one thread share everything.
        { type: 'thread-bound', threadId, maxThreads: 1 };
  const granted = entriesOf(value['secrets']).filter(([, grant]) => property(grant, 'ref') !== undefined);
  const secrets = { ...Object.fromEntries(granted), ...moved.grants.get(name) };
  return { ...own, ...(Object.keys(secrets).length > 0 && { secrets }) };
}

function setProviders(
  edit: Json5Edit,
  { root, before, providers, kept }: NewParts,
  grants: readonly Grants[],
  remove: (path: ConfigPath) => void,
): void {
  const secrets = property(root, 'secrets');
  const declared = property(secrets, 'providers');
  if (secrets !== undefined && !isRecord(secrets)) remove(['secrets']);
  for (const [key] of entriesOf(secrets)) {
    if (!['providers', 'maxEntries'].includes(key)) remove(['secrets', key]);
  }
  if (declared !== undefined && !isRecord(declared)) remove(['secrets', 'providers']);
  for (const { path } of providers.left) remove(path);
  const wanted = new Map(providers.taken);
  if (kept !== undefined) wanted.set(kept.alias, { provider: 'file', root: kept.folder });
  const refs = grants.flatMap((one) => Object.values(one).map(({ ref }) => property(ref, 'provider')));
  if (refs.includes(providers.env) && !wanted.has(providers.env))
    wanted.set(providers.env, { provider: 'env' });
  const added: Record<string, object> = {};
  for (const [alias, config] of wanted) {
    const path = ['secrets', 'providers', alias];
    const written = valueAt(root, path);
    if (JSON.stringify(written) === JSON.stringify(config)) continue;
    if (written === undefined) added[alias] = config;
    else {
      bringIn(edit, { root, before }, path);
      edit.set(path, config);
    }
  }
  if (Object.keys(added).length === 0) return;
  const now = property(parseDocument(edit.text).value, 'secrets');
  if (now === undefined) edit.add([], 'secrets', { providers: added });
  else if (property(now, 'providers') === undefined) edit.add(['secrets'], 'providers', added);
  else for (const [alias, config] of Object.entries(added)) edit.add(['secrets', 'providers'], alias, config);
}
