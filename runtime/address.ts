/** `agent/id`, each part percent-encoded, so that a slash always separates. */
export function addressOf(agent: string, id: string): string {
  return `${encodeURIComponent(agent)}/${encodeURIComponent(id)}`;
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
