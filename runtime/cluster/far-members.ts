import { HoldfastError } from '../base/errors.ts';
import type { AgentRef } from '../instance/agent-ref.ts';
import type { NodeRef } from './node-ref.ts';

/** What a reference gives at once, and would have to be here for. */
const OF_ONE_HERE = ['subscribe', 'on', 'getSnapshot', 'watch', 'askStream'] as const;
/** What it promises. */
const PROMISED = ['snapshot'] as const;

/** Gives a reference to another node what it lacks of those at home: calls that are not carried end with `NOT_LOCAL`. */
export function asAgentRef(ref: NodeRef, threadId: string): AgentRef {
  const refuse = (name: string) => (): never => {
    throw notCarried(ref.address, name);
  };
  const lacking = (names: readonly string[]): string[] => names.filter((name) => !(name in ref));
  const members = Object.assign(
    Object.fromEntries(lacking(OF_ONE_HERE).map((name) => [name, refuse(name)])),
    Object.fromEntries(lacking(PROMISED).map((name) => [name, async () => refuse(name)()])),
    { id: ref.address, threadId, thread: -1, incarnation: 0 },
  );
  return Object.assign(ref, members) as unknown as AgentRef;
}

function notCarried(address: string, name: string): HoldfastError {
  return new HoldfastError(
    'NOT_LOCAL',
    `${address} is on another node, and ref.${name}() is for instances of this one, so far; call it there`,
  );
}
