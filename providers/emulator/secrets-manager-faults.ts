/** What an operation does instead of, or before, answering. */
export type Fault = {
  /** How many requests it hits. Default 1; `Infinity`: until cleared. */
  readonly times?: number;
  /**
   * Only requests for this secret, as they name it. An `error` for GetSecretValue then also hits the secret inside of a
   * batch.
   */
  readonly secret?: string;
} & (
  | {
      /** Answer with this error name. */ readonly error: string;
      /** HTTP status. Default 400. */ readonly status?: number;
    }
  | { /** Never answer. */ readonly hang: true }
  | { /** Cut the connection. */ readonly reset: true }
  | { /** Answer 200 with what is not JSON. */ readonly garbage: true }
  | { /** Answer as usual, so many milliseconds later. */ readonly latencyMs: number }
);

/** A fault that was asked for. */
export interface PlannedFault {
  /** How many requests it hit so far. A test that injects a fault asserts this, or it may test nothing. */
  readonly fired: number;
  /** Takes back what is left of it. */
  clear(): void;
}

/** The faults that wait to happen, by operation; `'*'` stands for any. */
export interface Faults {
  plan(operation: string, fault: Fault): PlannedFault;
  /** The fault for this request, used up by one; first come, first served. */
  take(operation: string, secret: string | undefined): Fault | undefined;
  /** The error for one secret within a batch. */
  readonly takeItem: (operation: string, secret: string) => Extract<Fault, { error: string }> | undefined;
  clear(): void;
}

interface Planned {
  readonly operation: string;
  readonly fault: Fault;
  left: number;
  fired: number;
}

export function createFaults(): Faults {
  let planned: Planned[] = [];
  const use = (hits: (each: Planned) => boolean): Fault | undefined => {
    const found = planned.find((each) => each.left > 0 && hits(each));
    if (found === undefined) return undefined;
    found.left -= 1;
    found.fired += 1;
    return found.fault;
  };
  return {
    plan(operation, fault) {
      const plan = { operation, fault, left: fault.times ?? 1, fired: 0 };
      planned.push(plan);
      return {
        get fired() {
          return plan.fired;
        },
        clear() {
          plan.left = 0;
        },
      };
    },
    take(operation, secret) {
      const hits = (name: string) => (each: Planned) =>
        each.operation === name && (each.fault.secret === undefined || each.fault.secret === secret);
      return use(hits(operation)) ?? use(hits('*'));
    },
    takeItem: (operation, secret) =>
      use((each) => each.operation === operation && each.fault.secret === secret && 'error' in each.fault) as
        | Extract<Fault, { error: string }>
        | undefined,
    clear() {
      for (const each of planned) each.left = 0;
      planned = [];
    },
  };
}
