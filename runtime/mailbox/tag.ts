/**
 * Marks an envelope whose sender waits for something: `0` nobody waits, `> 0` an ask that wants a reply,
 * `< 0` a delivery that wants to know when it was handled. The number finds the waiting promise.
 */
export type Tag = number;
