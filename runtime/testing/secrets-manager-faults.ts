/** What an operation does instead of, or before, answering. */
export type Fault = { /** How many requests it hits. Default 1. */ readonly times?: number } & (
  | {
      /** Answer with this error name. */ readonly error: string;
      /** HTTP status. Default 400. */ readonly status?: number;
    }
  | { /** Never answer. */ readonly hang: true }
  | { /** Cut the connection. */ readonly reset: true }
  | { /** Answer 200 with what is not JSON. */ readonly garbage: true }
  | { /** Answer as usual, so many milliseconds later. */ readonly latencyMs: number }
);

/** The faults that wait to happen, by operation; `'*'` stands for any. */
export interface Faults {
  plan(operation: string, fault: Fault): void;
  /** The fault for this request, used up by one; first come, first served. */
  take(operation: string): Fault | undefined;
  clear(): void;
}

export function createFaults(): Faults {
  const planned = new Map<string, { fault: Fault; left: number }[]>();
  return {
    plan(operation, fault) {
      planned.set(operation, [...(planned.get(operation) ?? []), { fault, left: fault.times ?? 1 }]);
    },
    take(operation) {
      for (const name of [operation, '*']) {
        const queue = planned.get(name) ?? [];
        while (queue[0] !== undefined && queue[0].left <= 0) queue.shift();
        if (queue[0] === undefined) continue;
        queue[0].left -= 1;
        return queue[0].fault;
      }
      return undefined;
    },
    clear() {
      planned.clear();
    },
  };
}
