import type { AgentRef } from '../instance/agent-ref.ts';
import type { NodeRef } from './node-ref.ts';

/** Gives a reference to another node what it lacks of those at home. */
export function asAgentRef(ref: NodeRef, threadId: string): AgentRef {
  return Object.assign(ref, { id: ref.address, threadId, thread: -1, incarnation: 0 }) as unknown as AgentRef;
}
