/**
 * Lets so many work at one time. The others wait for their turn, in order; one whose signal aborts gives up its place.
 */
export function createSeats(count: number): <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T> {
  let free = count;
  const queue = new Set<() => void>();

  const take = (signal: AbortSignal): Promise<void> => {
    if (free > 0) {
      free -= 1;
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const turn = (): void => {
      signal.removeEventListener('abort', giveUp);
      resolve();
    };
    const giveUp = (): void => {
      queue.delete(turn);
      reject(signal.reason as Error);
    };
    queue.add(turn);
    signal.addEventListener('abort', giveUp, { once: true });
    return promise;
  };

  const give = (): void => {
    const [turn] = queue;
    if (turn === undefined) {
      free += 1;
      return;
    }
    // The seat goes from hand to hand: nobody who comes meanwhile can take it.
    queue.delete(turn);
    turn();
  };

  return async (signal, work) => {
    signal.throwIfAborted();
    await take(signal);
    try {
      return await work();
    } finally {
      give();
    }
  };
}
