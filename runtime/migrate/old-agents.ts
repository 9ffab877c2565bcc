import { type ConfigPath, entriesOf, isRecord, property } from '../config/finding.ts';

/** An agent as an old config has it. */
export interface OldAgent {
  readonly name: string;
  /** Where it stands. */
  readonly path: ConfigPath;
  readonly value: Readonly<Record<string, unknown>>;
  /** `own` is ours: it has its place already. */
  readonly form: 'list' | 'entries' | 'own' | 'implied';
}

/** The agent that there is where none is named. */
const IMPLIED = 'main';

/** The agents of `agents.list`, of `agents.entries`, and those that stand by their names. */
export function oldAgents(root: unknown): OldAgent[] {
  const agents = property(root, 'agents');
  const list = property(agents, 'list');
  const listed = Array.isArray(list) ? list.map((value, n) => ofList(value, n)) : [];
  const entries = isForm(agents, 'entries') ? entriesOf(property(agents, 'entries')) : [];
  const entered = entries.map(([name, value]) => agent(name, ['agents', 'entries', name], value, 'entries'));
  const own = entriesOf(agents)
    .filter(([name]) => !isFormKey(agents, name))
    .map(([name, value]) => agent(name, ['agents', name], value, 'own'));
  const found = [...listed, ...entered, ...own];
  const isImplied = found.length === 0 && property(agents, 'defaults') !== undefined;
  return isImplied ? [agent(IMPLIED, ['agents'], {}, 'implied')] : found;
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

function ofList(value: unknown, n: number): OldAgent {
  const named = property(value, 'id') ?? property(value, 'name');
  const name = typeof named === 'string' && named !== '' ? named : `agent-${n + 1}`;
  return agent(name, ['agents', 'list', n], value, 'list');
}

function agent(name: string, path: ConfigPath, value: unknown, form: OldAgent['form']): OldAgent {
  return { name, path, value: isRecord(value) ? value : {}, form };
}

/** The providers of the models that an agent may use: `openai` of `openai/some-model`. */
export function modelProvidersOf({ value }: OldAgent, root: unknown): string[] {
  const usual = property(property(property(root, 'agents'), 'defaults'), 'model');
  const model = value['model'] ?? usual;
  const fallbacks = property(model, 'fallbacks');
  const models = [model, property(model, 'primary'), ...(Array.isArray(fallbacks) ? fallbacks : [])];
  return models.flatMap((one) =>
    typeof one === 'string' && one.includes('/') ? [one.split('/')[0] ?? ''] : [],
  );
}
