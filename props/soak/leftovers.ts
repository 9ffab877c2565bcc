import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** What a process holds when nothing runs in it. */
export interface Leftovers {
  readonly rssMb: number;
  readonly heapMb: number;
  /** Memory outside of the heap: buffers, the compiled code of modules. */
  readonly externalMb: number;
  /** Ports, timers and the like, by kind. */
  readonly resources: Readonly<Record<string, number>>;
  readonly threads: number;
  readonly files: number;
}

/**
 * Megabytes by which more may be left than after a quiet runtime. The allocator keeps pieces of what was freed: bare
 * workers that run out of memory leave 90 MB resident, however many they are.
 */
export const SLACK = { rssMb: 192, heapMb: 8, externalMb: 12 } as const;

/** Counts once everything is collected that can be. */
export async function takeStock(): Promise<Leftovers> {
  const { gc } = globalThis as { gc?: () => void };
  for (let i = 0; i < 5; i++) {
    gc?.();
    await pause(50);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const mb = (bytes: number): number => bytes / 2 ** 20;
  return {
    rssMb: mb(rss),
    heapMb: mb(heapUsed),
    externalMb: mb(external),
    resources,
    threads: countIn('/proc/self/task'),
    files: countIn('/proc/self/fd'),
  };
}

function countIn(folder: string): number {
  try {
    return readdirSync(folder).length;
  } catch {
    return 0;
  }
}

/** In what `after` has more than the yardstick allows. */
export function leftBehind(yardstick: Leftovers, after: Leftovers): string[] {
  const wrong: string[] = [];
  for (const key of ['rssMb', 'heapMb', 'externalMb'] as const) {
    const grown = after[key] - yardstick[key];
    if (grown > SLACK[key]) {
      wrong.push(`${key} is ${after[key].toFixed(1)}, ${grown.toFixed(1)} more; ${SLACK[key]} are allowed`);
    }
  }
  for (const key of ['threads', 'files'] as const) {
    if (after[key] > yardstick[key]) wrong.push(`${after[key]} ${key}, ${yardstick[key]} before`);
  }
  for (const [kind, count] of Object.entries(after.resources)) {
    const before = yardstick.resources[kind] ?? 0;
    if (count > before) wrong.push(`${count} of ${kind}, ${before} before`);
  }
  return wrong;
}
