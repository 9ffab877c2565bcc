/** `agent/id`, each part percent-encoded, so that a slash always separates. */
export function addressOf(agent: string, id: string): string {
  return `${encodeURIComponent(agent)}/${encodeURIComponent(id)}`;
}
