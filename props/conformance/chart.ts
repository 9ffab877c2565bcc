/** A state chart as plain data: it can be generated, shrunk, printed, and built again in any thread. */
export interface Chart {
  /** Each transition needs one and burns one, so that every chart comes to rest. */
  readonly fuel: number;
  readonly root: State;
  readonly output: Output | null;
  /** Actors that the chart may invoke or spawn, by `src`. */
  readonly actors: Readonly<Record<string, ChildActor>>;
}

export interface State {
  readonly id: string;
  readonly kind: 'atomic' | 'compound' | 'parallel' | 'final' | 'shallow history' | 'deep history';
  /** Of a compound state: its initial child. Of a history state: where to go without a history. */
  readonly initial: string | null;
  readonly tags: readonly string[];
  readonly entry: readonly Action[];
  readonly exit: readonly Action[];
  readonly invoke: readonly Invoke[];
  readonly transitions: readonly Transition[];
  readonly output: Output | null;
  readonly states: readonly State[];
}

export type Trigger =
  | { readonly on: string }
  | { readonly after: number }
  | { readonly always: true }
  /** The state itself is done. */
  | { readonly done: true };

export interface Reaction {
  readonly guard: Guard | null;
  readonly target: string | null;
  readonly reenter: boolean;
  readonly actions: readonly Action[];
}

export interface Transition extends Reaction {
  readonly trigger: Trigger;
}

export interface Invoke {
  readonly src: string;
  readonly id: string | null;
  readonly systemId: string | null;
  readonly onDone: Reaction | null;
  readonly onError: Reaction | null;
  readonly onSnapshot: Reaction | null;
}

export type Guard =
  | { readonly is: 'count below' | 'payload above'; readonly n: number }
  | { readonly is: 'count even' | 'throwing' }
  | { readonly is: 'in state'; readonly id: string }
  | { readonly is: 'not'; readonly of: Guard }
  | { readonly is: 'all' | 'any'; readonly of: readonly Guard[] };

export type Action =
  | { readonly do: 'count' }
  | { readonly do: 'note'; readonly text: string }
  | { readonly do: 'put'; readonly what: Rich }
  | { readonly do: 'raise'; readonly event: string; readonly delay: number | null }
  | { readonly do: 'cancel'; readonly event: string }
  | { readonly do: 'emit'; readonly event: string }
  | { readonly do: 'send'; readonly to: string; readonly event: string; readonly delay: number | null }
  | { readonly do: 'send by system id'; readonly to: string; readonly event: string }
  | { readonly do: 'send parent'; readonly event: string }
  | { readonly do: 'forward'; readonly to: string }
  | { readonly do: 'spawn'; readonly src: string; readonly id: string }
  | { readonly do: 'stop'; readonly id: string }
  | { readonly do: 'throw'; readonly what: Thrown }
  | { readonly do: 'when'; readonly guard: Guard; readonly actions: readonly Action[] };

/** Where an output comes from. */
export type Output = 'count' | 'event' | 'log' | 'rich' | 'throwing';

/** Values of a context that JSON would not carry. */
export const RICH = ['date', 'map', 'set', 'bigint', 'not a number', 'bytes', 'cycle', 'error'] as const;
export type Rich = (typeof RICH)[number];

export const THROWN = ['error', 'range error', 'error with code', 'text', 'object'] as const;
export type Thrown = (typeof THROWN)[number];

export type ChildActor =
  | { readonly kind: 'promise'; readonly settle: 'resolve' | 'reject'; readonly hops: number }
  | { readonly kind: 'callback'; readonly greets: boolean; readonly throws: boolean }
  | { readonly kind: 'transition' }
  | { readonly kind: 'observable'; readonly values: number; readonly end: 'complete' | 'error' }
  | { readonly kind: 'machine'; readonly chart: Chart };

/** What happens to a running chart, step by step; after each it comes to rest. */
export type Step =
  | { readonly send: readonly SentEvent[] }
  | { readonly advance: number }
  | { readonly restart: true };

export interface SentEvent {
  readonly type: string;
  readonly n: number;
}

export interface Scenario {
  readonly chart: Chart;
  /** An actor on its own, observed from the start or once it runs, or the child of a machine. */
  readonly as: 'actor' | 'spawned' | 'child';
  readonly steps: readonly Step[];
}

/** What a chart hears from outside and from within. */
export const EVENTS = ['A', 'B', 'C', 'go.on'] as const;
