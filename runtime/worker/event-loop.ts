/** The event loop as a thread's own code uses it. */
export interface EventLoop {
  /** Runs a function after what is due now. */
  immediate(run: () => void): void;
  /** Milliseconds that never go back. */
  now(): number;
}

export const eventLoop: EventLoop = {
  immediate: (run) => void setImmediate(run),
  now: () => performance.now(),
};
