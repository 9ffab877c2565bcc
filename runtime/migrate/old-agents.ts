import { agentSchema } from '../config/agent-schema.ts';
import {
  type ConfigPath,
  entriesOf,
  isForbiddenKey,
  isRecord,
  property,
  valueAt,
} from '../config/finding.ts';
import { closest } from '../config/suggest.ts';

/** An agent as an old config has it. */
export interface OldAgent {
  /** The name that it gets: no other agent has it. */
  readonly name: string;
  /** The thread that it gets, if it has none yet: no other agent has it. */
  readonly threadId: string;
  /** Where it stands. */
  readonly path: ConfigPath;
  readonly value: Readonly<Record<string, unknown>>;
  /** `own` is ours: it has its place already. */
  readonly form: 'list' | 'entries' | 'single' | 'own' | 'implied';
  /** What it was called, where that cannot be its name, and why not. */
  readonly renamed?: {
    readonly from: string;
    readonly why: 'taken' | 'reserved';
    readonly by: ConfigPath | undefined;
  };
}

/** The agent that there is where none is named. */
const IMPLIED = 'main';

type IsCredential = (path: ConfigPath) => boolean;

/** An agent before it is known what the others are called. */
type Unnamed = Omit<OldAgent, 'name' | 'threadId' | 'renamed'> & { readonly wanted: string };

/**
 * The agents of `agents.list`, of `agents.entries`, those that stand by their names, and the one of `agent`. No two are one: of
 * several that are called the same, the first keeps the name, and those that are ours before all others. What is a credential, by
 * where it stands, is no name.
 */
export function oldAgents(
  root: unknown,
  isCredential: (path: ConfigPath) => boolean = () => false,
): OldAgent[] {
  const found = unnamedAgents(root, isCredential);
  const taken = new Map<string, ConfigPath>();
  const threads = new Set<string>();
  for (const { form, wanted, path, value } of found) {
    if (form !== 'own') continue;
    taken.set(wanted, path);
    if (typeof value['threadId'] === 'string') threads.add(value['threadId']);
  }
  return found.map(({ wanted, path, value, form }): OldAgent => {
    if (form === 'own') return { name: wanted, threadId: wanted, path, value, form };
    const isReserved = isForbiddenKey(wanted);
    const by = taken.get(wanted);
    const name = free(isReserved ? `agent-${wanted.replaceAll('_', '')}` : wanted, (one) => taken.has(one));
    const threadId = free(name, (one) => threads.has(one));
    taken.set(name, path);
    threads.add(threadId);
    if (name === wanted) return { name, threadId, path, value, form };
    const why = isReserved ? 'reserved' : 'taken';
    return { name, threadId, path, value, form, renamed: { from: wanted, why, by } };
  });
}

function free(wanted: string, isTaken: (name: string) => boolean): string {
  let name = wanted;
  for (let n = 2; isTaken(name); n += 1) name = `${wanted}-${n}`;
  return name;
}

function unnamedAgents(root: unknown, isCredential: IsCredential): Unnamed[] {
  const agents = property(root, 'agents');
  const [list, path]: [unknown, ConfigPath] = Array.isArray(agents)
    ? [agents, ['agents']]
    : [property(agents, 'list'), ['agents', 'list']];
  const listed = Array.isArray(list)
    ? list.flatMap((value, n) => ofList(value, [...path, n], isCredential))
    : [];
  const entries = isForm(agents, 'entries') ? entriesOf(property(agents, 'entries')) : [];
  const entered = entries.map(([name, value]) => agent(name, ['agents', 'entries', name], value, 'entries'));
  const named = entriesOf(agents)
    .filter(([name]) => !isFormKey(agents, name))
    .map(([name, value]) => agent(name, ['agents', name], value, isOwn(value) ? 'own' : 'entries'));
  const found = [...listed, ...entered, ...named];
  if (found.length > 0) {
    const strangers = new Set(isOldForm(found) ? strangersOf(root).map((path) => JSON.stringify(path)) : []);
    return found.filter(({ path }) => !strangers.has(JSON.stringify(path)));
  }
  const single = property(root, 'agent');
  if (isRecord(single))
    return [agent(idOf(single, ['agent'], isCredential) ?? IMPLIED, ['agent'], single, 'single')];
  return property(agents, 'defaults') === undefined ? [] : [agent(IMPLIED, ['agents'], {}, 'implied')];
}

/** What stands where an agent of an old config would, and is none. */
export function strangersOf(root: unknown): ConfigPath[] {
  const agents = property(root, 'agents');
  const list = Array.isArray(agents) ? agents : property(agents, 'list');
  const path: ConfigPath = Array.isArray(agents) ? ['agents'] : ['agents', 'list'];
  const items = Array.isArray(list) ? list.map((_item, n): ConfigPath => path.concat(n)) : [];
  const members = entriesOf(agents).map(([name]): ConfigPath => ['agents', name]);
  return [...items, ...members.filter(([, name]) => !isFormKey(agents, String(name)))].filter((one) =>
    isStranger(root, one),
  );
}

function isStranger(root: unknown, path: ConfigPath): boolean {
  const value = valueAt(root, path);
  return !isRecord(value) && !(typeof path.at(-1) === 'number' && typeof value === 'string' && value !== '');
}

function isOldForm(found: readonly Unnamed[]): boolean {
  return found.some(({ form }) => form !== 'own');
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

/** Whether a key of `agents` is one of the old forms, and no agent of that name. */
export function isFormKey(agents: unknown, key: string): boolean {
  if (key === 'list') return Array.isArray(property(agents, key));
  return (key === 'entries' || key === 'defaults') && isForm(agents, key);
}

function isForm(agents: unknown, key: string): boolean {
  const value = property(agents, key);
  return isRecord(value) && property(value, 'type') !== 'thread-bound';
}

/** What is neither an entry nor a name is no agent. */
function ofList(value: unknown, path: ConfigPath, isCredential: IsCredential): Unnamed[] {
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

function agent(wanted: string, path: ConfigPath, value: unknown, form: OldAgent['form']): Unnamed {
  return { wanted, path, value: isRecord(value) ? value : {}, form };
}

/** The providers of the models that an agent may use: `openai` of `openai/some-model`. */
export function modelProvidersOf({ value }: OldAgent, root: unknown): string[] {
  const defaults = property(property(root, 'agents'), 'defaults') ?? property(root, 'agent');
  const model = value['model'] ?? property(defaults, 'model');
  const fallbacks = property(model, 'fallbacks');
  const models = [model, property(model, 'primary'), ...(Array.isArray(fallbacks) ? fallbacks : [])];
  return models.flatMap((one) =>
    typeof one === 'string' && one.includes('/') ? [one.split('/')[0] ?? ''] : [],
  );
}
