// What the server tells the page, as far as the page reads it: Stately's inspection events, and the runtime's status.

export interface Snapshot {
  readonly status?: string;
  readonly value?: unknown;
  readonly context?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly tags?: readonly string[];
}

export interface InspectionEvent {
  readonly type: '@xstate.actor' | '@xstate.event' | '@xstate.snapshot' | '@holdfast.log';
  readonly sessionId: string;
  readonly createdAt: string;
  readonly id: string;
  readonly name?: string;
  readonly definition?: string;
  /** The number of its definition, instead of that. */
  readonly machine?: number;
  readonly parentId?: string;
  readonly sourceId?: string;
  readonly snapshot?: Snapshot;
  readonly event?: { readonly type: string };
  /**
   * Of an instance: where it is; how many milliseconds its event waited, and the id of its trace; or how many the turn took that led
   * to its state.
   */
  readonly holdfast?: {
    readonly threadId?: string;
    readonly thread?: string;
    readonly waitedMs?: number;
    readonly traceId?: string;
    readonly tookMs?: number;
  };
  /** Of a line of the log. */
  readonly level?: string;
  readonly message?: string;
  readonly fields?: object;
}

export interface Thread {
  readonly name: string;
  readonly n: number;
  /** Node's id of it. */
  readonly thread?: number;
  readonly state: string;
  readonly instances: number;
  readonly utilization?: number;
  readonly heapUsed?: number;
  readonly slow?: { readonly ms: number; readonly address?: string };
}

export interface Pool {
  readonly threadId: string;
  readonly maxThreads: number;
  readonly threads: readonly Thread[];
  readonly peakThreads: number;
  readonly waiting: number;
  readonly health: string;
}

export interface ShownError {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
}

export interface Instance {
  readonly address: string;
  readonly threadId: string;
  /** Node's id of the thread. */
  readonly thread?: number;
  readonly incarnation: number;
  readonly restarts: number;
  readonly state: string;
  readonly handled: number;
  readonly mailbox: number;
  readonly capacity: number;
  /** The last failure that counts, of one that is not quarantined. */
  readonly failure?: { readonly cause: string; readonly at: number; readonly error?: ShownError };
  readonly quarantine?: {
    readonly error: ShownError;
    readonly failures: readonly { readonly address: string; readonly at: number }[];
    readonly restarts: number;
    readonly withinMs: number;
    readonly deadLetter?: string;
    readonly unfit?: true;
    readonly because?: string;
  };
}

export interface Secret {
  readonly provider: string;
  readonly id: string;
  readonly stage: string;
  readonly role?: string;
  readonly versionId?: string;
  readonly state: string;
  readonly ageMs?: number;
  readonly nextRefreshInMs?: number;
  readonly failure?: string;
  readonly holders: number;
  readonly hits: number;
  readonly misses: number;
}

/** All instances, counted. */
export interface InstanceCounts {
  readonly total: number;
  readonly handled: number;
  /** Turns on each thread, by Node's id of it. */
  readonly turns: Readonly<Record<string, number>>;
  /** Those with something wrong of which only this is told. */
  readonly wrongLeft: number;
}

export interface Status {
  readonly version: string;
  readonly state: string;
  readonly uptimeMs: number;
  readonly pools: readonly Pool[];
  /** Those that the page shows, and those with something wrong. */
  readonly instances: readonly Instance[];
  /** All of them. */
  readonly counts: InstanceCounts;
  readonly secrets: readonly Secret[];
  readonly secretProviders: readonly {
    readonly alias: string;
    readonly breaker: string;
    readonly failure?: string;
  }[];
  readonly mcpServers?: readonly {
    readonly agent: string;
    readonly server: string;
    readonly state: string;
  }[];
  readonly store?: {
    readonly state: string;
    readonly waiting: number;
    readonly error?: { readonly code: string; readonly message: string };
  };
  readonly deadLetters: number;
  readonly restarts: number;
  readonly inspection?: { readonly passed: number; readonly sampled: number };
}

export interface DeadLetter {
  readonly id: string;
  readonly address: string;
  readonly reason: string;
  readonly at: number;
  readonly replays: number;
  readonly cause?: string;
  readonly event?: unknown;
}

/** A JSON Schema, as an agent's thread gave it: any JSON. */
export type Schema = Readonly<Record<string, unknown>>;

/** The schemas of the events that an agent accepts, by their type. */
export type Accepts = Readonly<Record<string, Schema>>;

/** What of an event does not fit what its agent accepts. */
export interface Issue {
  readonly path: readonly (string | number)[];
  readonly expected?: string;
}

/** How many instances of an agent are in a state. */
export interface StateCount {
  /** Keys joined by dots, without the machine; `is:quarantined` of a phase in which an instance is in none. */
  readonly name: string;
  readonly count: number;
  /** Its place among the states of the machine; absent for a phase. */
  readonly place?: number;
}

export interface FleetSummary {
  readonly agent: string;
  readonly total: number;
  /** The innermost states that have instances; phases first. */
  readonly states: readonly StateCount[];
}

export interface FleetRow {
  readonly address: string;
  readonly states: readonly string[];
  readonly forMs?: number;
  readonly mailbox: number;
  readonly restarts: number;
  readonly failure?: { readonly at: number; readonly text: string };
}

/** All instances of an agent, and some of them as rows. */
export interface Fleet extends FleetSummary {
  readonly threads: number;
  /** States with others in them. */
  readonly outer: readonly StateCount[];
  readonly medianMs: Readonly<Record<string, number>>;
  /** Those of which the rows are a part. */
  readonly matched: number;
  readonly from: number;
  readonly rows: readonly FleetRow[];
}

/** What was told before the page was there, the latest of it, batch by batch; null: nobody was told what happened then. */
export type Recent = readonly (readonly InspectionEvent[] | null)[];

/** Actors as they are listed: of one parent and one machine. */
export interface Listed {
  readonly parentId?: string;
  readonly machine?: number;
  readonly isInstance?: true;
  readonly name?: string;
  readonly ids: readonly string[];
}

/** The actors that there are, or the first of them (`replay`), or more of them. */
export interface Listing {
  /** What the server knows the page by. */
  readonly page?: string;
  readonly listed: readonly Listed[];
  readonly isLast: boolean;
}

/** A definition, which is told once. */
export interface Machine {
  readonly machine: number;
  readonly definition: string;
}

/** What the runtime says of itself at this moment. */
export interface Tick {
  readonly status: Status;
  readonly fleets: readonly FleetSummary[];
  readonly deadLetters: readonly DeadLetter[];
  /** When what is shown was recorded, in milliseconds since the epoch; absent: it happens now. */
  readonly recordedAt?: number;
  /** The page may send events and replay letters. */
  readonly mayAct: boolean;
  /** Events that did not come, because there were too many. */
  readonly leftOut: number;
  /** Actors that are not in the tree, because there were too many. */
  readonly unlisted: number;
}

/** Comes each second: what of it has changed. */
export type Changes = Partial<
  Omit<Status, 'deadLetters'> &
    Omit<Tick, 'status' | 'deadLetters'> & {
      readonly deadLetters: number;
      readonly letters: readonly DeadLetter[];
    }
>;

/** What is known after these changes; `before`: all is told first. */
export function changedBy(before: Tick | undefined, changes: Changes): Tick {
  const { fleets, letters, mayAct, leftOut, unlisted, recordedAt, ...status } = changes;
  const at = recordedAt ?? before?.recordedAt;
  return {
    status: { ...before?.status, ...status } as Status,
    fleets: fleets ?? before?.fleets ?? [],
    deadLetters: letters ?? before?.deadLetters ?? [],
    mayAct: mayAct ?? before?.mayAct ?? false,
    leftOut: leftOut ?? before?.leftOut ?? 0,
    unlisted: unlisted ?? before?.unlisted ?? 0,
    ...(at !== undefined && { recordedAt: at }),
  };
}
