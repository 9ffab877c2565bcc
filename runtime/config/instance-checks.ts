import { type ConfigPath, entriesOf, type Finding, property } from './finding.ts';
import { printName } from './received.ts';

/** What is wrong with the instances that agents list, beyond their types. */
export function instanceFindings(root: unknown): Finding[] {
  const agents = entriesOf(property(root, 'agents'));
  return [...agents.flatMap(([agent, config]) => idFindings(agent, config)), ...roomFindings(agents)];
}

interface Listed {
  readonly id: string;
  readonly path: ConfigPath;
}

function listed(agent: string, config: unknown): Listed[] {
  const instances = property(config, 'instances');
  if (!Array.isArray(instances)) return [];
  return instances.flatMap((one: unknown, n): Listed[] => {
    const path = ['agents', agent, 'instances', n];
    if (typeof one === 'string') return [{ id: one, path }];
    const id = property(one, 'id');
    return typeof id === 'string' ? [{ id, path: [...path, 'id'] }] : [];
  });
}

function idFindings(agent: string, config: unknown): Finding[] {
  const first = new Map<string, ConfigPath>();
  return listed(agent, config).flatMap(({ id, path }): Finding[] => {
    const related = first.get(id);
    if (related !== undefined) {
      const message = `the id ${printName(id)} is listed twice; an address has one instance`;
      return [{ code: 'duplicate-instance', path, at: 'value', message, related }];
    }
    first.set(id, path);
    const message = oddity(agent, id);
    return message === undefined ? [] : [{ code: 'invalid-format', path, at: 'value', message }];
  });
}

function oddity(agent: string, id: string): string | undefined {
  if (/\p{Surrogate}/u.test(id))
    return 'an id cannot hold half a character: no address can have it; write whole characters';
  if (id === '.' || id === '..')
    return `the id ${printName(id)} is a step in a path, so that no request could reach the instance; choose another`;
  if (!id.startsWith(`${agent}/`)) return undefined;
  const rest = id.slice(agent.length + 1);
  return `an id does not include its agent${rest === '' ? '' : `: write ${printName(rest)}`}`;
}

/** Instances that have a thread for themselves need as many threads, and all others of the pool one more. */
function roomFindings(agents: readonly (readonly [string, unknown])[]): Finding[] {
  const pools = Map.groupBy(
    agents.map(([agent, config]) => ({ agent, config, count: listed(agent, config).length })),
    ({ config }) => property(config, 'threadId'),
  );
  return [...pools].flatMap(([threadId, all]): Finding[] => {
    const maxThreads = property(all[0]?.config, 'maxThreads');
    const exclusive = all.filter(
      ({ config, count }) => count > 0 && property(config, 'placement') === 'exclusive',
    );
    const last = exclusive.at(-1);
    if (typeof threadId !== 'string' || typeof maxThreads !== 'number' || last === undefined) return [];
    const own = exclusive.reduce((sum, { count }) => sum + count, 0);
    const shared = all.some((one) => one.count > 0 && !exclusive.includes(one)) ? 1 : 0;
    if (own + shared <= maxThreads) return [];
    const others = shared === 0 ? '' : ', and the others one more,';
    const message =
      `the pool ${printName(threadId)} would need ${own + shared} threads: ${own} of its instances have one for ` +
      `themselves (placement "exclusive")${others} and maxThreads is ${maxThreads}; raise it, or list fewer`;
    return [{ code: 'too-many-instances', path: ['agents', last.agent, 'instances'], at: 'key', message }];
  });
}
