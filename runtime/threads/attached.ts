import { readFileSync } from 'node:fs';

/** Linux's tables of the connections of this network namespace. */
const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'];
const ESTABLISHED = '01';

/**
 * Whether a debugger is connected to the inspector of this process, and may hold its threads. Node does not tell: its
 * inspector answers the same with and without a debugger. `undefined` where the inspector is open and the system does not
 * tell either.
 */
export function debuggerAttached(): boolean | undefined {
  const url = process.getBuiltinModule('node:inspector').url();
  if (url === undefined) return false;
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
  let isKnown = false;
  for (const table of TABLES) {
    let text: string;
    try {
      text = readFileSync(table, 'latin1');
    } catch {
      // Another system, or one without this version of the protocol.
      continue;
    }
    isKnown = true;
    for (const line of text.split('\n')) {
      // `sl local_address rem_address st …`, addresses as `address:port`.
      const [, local = '', , state] = line.trim().split(/\s+/, 4);
      if (state === ESTABLISHED && local.endsWith(`:${port}`)) return true;
    }
  }
  return isKnown ? false : undefined;
}
