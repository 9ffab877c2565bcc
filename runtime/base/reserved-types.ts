/** `secret.*` in a machine takes `secret` as well, so the words by themselves are reserved too. */
const RESERVED = /^(?:@xstate|(?:xstate|secret|holdfast)(?:\.|$))/;

const [AT, H, S, X] = [0x40, 0x68, 0x73, 0x78];

/**
 * Whether an event of that type is told by XState or by the runtime itself: that an actor is done, that a delay is over,
 * that a secret has changed. Nobody from outside may say that such a thing came to pass: not another agent, not a thread
 * to the host, not a request, not a page. The host's own program may: it is trusted with everything.
 */
export function isReserved(type: string): boolean {
  const first = type.charCodeAt(0);
  // Asked once for each event between agents: most begin with another letter.
  return (first === X || first === S || first === H || first === AT) && RESERVED.test(type);
}

/** What is wrong with an event of such a type. */
export function reservedAdvice(type: string): string {
  return `"${type.slice(0, 64)}" is a type reserved for XState and the runtime; send an event of another type`;
}
