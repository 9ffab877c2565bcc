/**
 * The origin that an entry of a grant's `hosts` stands for, as a URL of a request has it: `https://api.example.com`.
 * Undefined when it stands for none.
 */
export function originOf(host: string): string | undefined {
  const written = /^https?:\/\//i.test(host) ? host : `https://${host}`;
  try {
    const { origin, pathname, search, username } = new URL(written);
    return pathname === '/' && search === '' && username === '' ? origin : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the origin is of this machine by its very name: the only ones that plain http is for. */
export function isLoopbackOrigin(origin: string): boolean {
  const { hostname } = new URL(origin);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
