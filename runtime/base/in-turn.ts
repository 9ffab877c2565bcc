/** Instances whose states are asked for, or that are started, at a time. */
export const AT_A_TIME = 32;

/** Runs all items, each begun in its turn, and some of them at a time. */
export async function inTurn<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const next = async (): Promise<void> => {
    for (const item of waiting) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, items.length) }, next));
}
