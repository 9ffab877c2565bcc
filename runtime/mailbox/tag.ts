/**
 * Marks an envelope by what its sender waits for: `0` for nothing, `> 0` an ask for its reply, `< 0` a delivery for
 * its having been handled. The number finds the waiting promise.
 */
export type Tag = number;
