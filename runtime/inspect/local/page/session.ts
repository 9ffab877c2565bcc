/** In the storage of the tab: no server gets it unasked, and no other tab. */
const KEY = 'holdfast-session';

/** Keeps the secret that a link was exchanged for, for as long as the tab is open. */
export function keepSession(secret: string): void {
  sessionStorage.setItem(KEY, secret);
}

/** Says who asks; without a session nothing, which is refused with what to do. */
export function authorization(): Record<string, string> {
  const secret = sessionStorage.getItem(KEY);
  return secret === null ? {} : { Authorization: `Bearer ${secret}` };
}
