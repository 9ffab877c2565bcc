/** `agent/id`, each part percent-encoded, so that a slash always separates. */
export function addressOf(agent: string, id: string): string {
  return `${encodeURIComponent(agent)}/${encodeURIComponent(id)}`;
}

/** What an address is made of; undefined when it is none, or not written as {@link addressOf} does. */
export function partsOf(address: string): { readonly agent: string; readonly id: string } | undefined {
  const [agent = '', id = '', ...more] = address.split('/');
  if (agent === '' || id === '' || more.length > 0) return undefined;
  try {
    const parts = { agent: decodeURIComponent(agent), id: decodeURIComponent(id) };
    return addressOf(parts.agent, parts.id) === address ? parts : undefined;
  } catch {
    return undefined;
  }
}

/** Name of the agent at an address; of what is no address, whatever stands before the slash. */
export function agentOf(address: string): string {
  const [name = ''] = address.split('/');
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
