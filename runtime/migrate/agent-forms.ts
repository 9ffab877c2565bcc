import { agentSchema } from '../config/agent-schema.ts';
import { type ConfigPath, entriesOf, isRecord, property, valueAt } from '../config/finding.ts';
import { closest } from '../config/suggest.ts';

/** An agent as it stands in an old config. */
export interface WrittenAgent {
  /** What it is called. */
  readonly wanted: string;
  /** Where it stands. */
  readonly path: ConfigPath;
  readonly value: Readonly<Record<string, unknown>>;
  /** `own` is ours: it has its place already. */
  readonly form: 'list' | 'entries' | 'single' | 'own' | 'implied';
}

/** Whether something is a credential by where it stands: it is no name then. */
export type IsCredential = (path: ConfigPath) => boolean;

/** The agent that there is where none is named. */
const IMPLIED = 'main';

/** Sections that only a config of OpenClaw has, and with it the agent that everybody has. */
const OF_OPENCLAW =
  'auth channels cron hooks identity messages models plugins routing session skills tools'.split(' ');

/** The agents of `agents.list`, of `agents.entries`, those that stand by their names, and the one of `agent`. */
export function writtenAgents(root: unknown, isCredential: IsCredential): WrittenAgent[] {
  const agents = property(root, 'agents');
  const found = [
    ...(Array.isArray(agents) ? members(agents, ['agents'], isCredential) : []),
    ...['list', 'entries'].flatMap((key) =>
      isFormKey(agents, key) ? members(property(agents, key), ['agents', key], isCredential) : [],
    ),
    ...entriesOf(agents)
      .filter(([name]) => !isFormKey(agents, name))
      .map(([name, value]) => agent(name, ['agents', name], value, isOwn(value) ? 'own' : 'entries')),
  ];
  if (found.length > 0) {
    const isOld = found.some(({ form }) => form !== 'own');
    const strangers = new Set(isOld ? strangersOf(root).map((path) => JSON.stringify(path)) : []);
    return found.filter(({ path }) => !strangers.has(JSON.stringify(path)));
  }
  const single = property(root, 'agent');
  if (isRecord(single)) {
    return [agent(idOf(single, ['agent'], isCredential) ?? IMPLIED, ['agent'], single, 'single')];
  }
  const routed = members(valueAt(root, ['routing', 'agents']), ['routing', 'agents'], isCredential);
  if (routed.length > 0) return routed;
  const isImplied =
    agents === undefined
      ? OF_OPENCLAW.some((key) => property(root, key) !== undefined)
      : property(agents, 'defaults') !== undefined;
  return isImplied ? [agent(IMPLIED, ['agents'], {}, 'implied')] : [];
}

/** What stands where an agent of an old config would, and is none. */
export function strangersOf(root: unknown): ConfigPath[] {
  const agents = property(root, 'agents');
  const items = [agents, property(agents, 'list'), property(agents, 'entries')].flatMap((list, n) => {
    const path: ConfigPath = ['agents', ...(n === 0 ? [] : [n === 1 ? 'list' : 'entries'])];
    return Array.isArray(list) ? list.map((_item, at): ConfigPath => path.concat(at)) : [];
  });
  const named = entriesOf(agents).map(([name]): ConfigPath => ['agents', name]);
  return [...items, ...named.filter(([, name]) => !isFormKey(agents, String(name)))].filter((path) => {
    const value = valueAt(root, path);
    return (
      !isRecord(value) && !(typeof path.at(-1) === 'number' && typeof value === 'string' && value !== '')
    );
  });
}

/** Whether a key of `agents` is one of the old forms, and no agent of that name. */
export function isFormKey(agents: unknown, key: string): boolean {
  const value = property(agents, key);
  if (value === undefined || !['list', 'entries', 'defaults'].includes(key)) return false;
  if (!isRecord(value)) return value === null || Array.isArray(value);
  // An agent may be called `list`.
  return (
    property(value, 'type') !== 'thread-bound' && (key !== 'list' || Object.values(value).every(isRecord))
  );
}

/** An agent of ours that lacks a key is one of ours all the same, and what is no object is for a person to mend. */
function isOwn(value: unknown): boolean {
  const keys = new Set(Object.keys(agentSchema.shape).filter((key) => key !== 'secrets'));
  return (
    !isRecord(value) ||
    Object.keys(value).some(
      (key) => keys.has(key) || closest(key, ['type', 'threadId', 'maxThreads']) !== undefined,
    )
  );
}

/** The agents of a list, or by their names. */
function members(value: unknown, path: ConfigPath, isCredential: IsCredential): WrittenAgent[] {
  if (Array.isArray(value)) return value.flatMap((item, n) => ofList(item, [...path, n], isCredential));
  return entriesOf(value).map(([name, item]) => agent(name, [...path, name], item, 'entries'));
}

/** What is neither an entry nor a name is no agent. */
function ofList(value: unknown, path: ConfigPath, isCredential: IsCredential): WrittenAgent[] {
  if (typeof value === 'string' && value !== '') return [agent(value, path, {}, 'list')];
  if (!isRecord(value)) return [];
  return [agent(idOf(value, path, isCredential) ?? `agent-${Number(path.at(-1)) + 1}`, path, value, 'list')];
}

function idOf(value: unknown, path: ConfigPath, isCredential: IsCredential): string | undefined {
  const named = ['id', 'name']
    .filter((key) => !isCredential([...path, key]))
    .map((key) => property(value, key))
    .map((one) => (typeof one === 'number' ? String(one) : one))
    .find((one) => typeof one === 'string' && one !== '');
  return named as string | undefined;
}

function agent(wanted: string, path: ConfigPath, value: unknown, form: WrittenAgent['form']): WrittenAgent {
  return { wanted, path, value: isRecord(value) ? value : {}, form };
}
