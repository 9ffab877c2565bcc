import type { AgentFigures, InstanceStatus } from '../telling/status.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Counts instances by agent, in the order in which the first of each comes. */
export function agentFigures(
  instances: Iterable<Pick<InstanceStatus, 'agent' | 'state' | 'handled' | 'mailbox' | 'capacity'>>,
): AgentFigures[] {
  const all = new Map<string, Writable<AgentFigures>>();
  for (const { agent, state, handled, mailbox, capacity } of instances) {
    const figures = all.get(agent) ?? { agent, states: {}, handled: 0, mailbox: 0, capacity: 0 };
    all.set(agent, figures);
    figures.states = { ...figures.states, [state]: (figures.states[state] ?? 0) + 1 };
    figures.handled += handled;
    figures.mailbox += mailbox;
    figures.capacity += capacity;
  }
  return [...all.values()];
}
