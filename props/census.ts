import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** The operating system's list of this process's threads: Linux only; elsewhere there is nothing to count by. */
const TASKS = '/proc/self/task';

/** Worker threads of a process as the operating system sees them. */
export interface Census {
  /** Threads that came since the census was opened. */
  total(): number;
  /** Threads named `holdfast:<threadId>:…`, or `undefined` where this Node does not name its threads. */
  ofPool(threadId: string): number | undefined;
}

export async function openCensus(): Promise<Census | undefined> {
  if (process.platform !== 'linux') return undefined;
  // Node's own helpers (four for files) come with their first use; they are here before the first count.
  await Promise.all(Array.from({ length: 16 }, () => readFile('/proc/self/stat')));
  const before = readdirSync(TASKS).length;
  // Node 22 gives a thread the name of the process.
  const named = Number(process.versions.node.split('.')[0]) >= 24;
  return {
    total: () => readdirSync(TASKS).length - before,
    ofPool: (threadId) =>
      named ? names().filter((name) => name.startsWith(`holdfast:${threadId}:`)).length : undefined,
  };
}

function names(): string[] {
  return readdirSync(TASKS).map((task) => {
    try {
      return readFileSync(`${TASKS}/${task}/comm`, 'utf8').trim();
    } catch {
      // It ended between the two looks.
      return '';
    }
  });
}
