import { type ConfigPath, isForbiddenKey, property } from '../config/finding.ts';
import { type IsCredential, type WrittenAgent, writtenAgents } from './agent-forms.ts';

/** An agent of an old config, and what it is to be called. */
export interface OldAgent extends Omit<WrittenAgent, 'wanted'> {
  /** The name that it gets: no other agent has it. */
  readonly name: string;
  /** The thread that it gets, if it has none yet: no other agent has it. */
  readonly threadId: string;
  /** What it was called, where that cannot be its name, and why not. */
  readonly renamed?: {
    readonly from: string;
    readonly why: 'taken' | 'reserved';
    readonly by: ConfigPath | undefined;
  };
}

/**
 * The agents of a config, in whatever form they stand there. No two are one: of several that are called the same, the first keeps
 * the name, and those that are ours before all others. What is a credential, by where it stands, is no name.
 */
export function oldAgents(root: unknown, isCredential: IsCredential = () => false): OldAgent[] {
  const found = writtenAgents(root, isCredential);
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
