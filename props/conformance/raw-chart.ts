import type { Output } from './chart.ts';

/**
 * A chart before its states have names: numbers stand for states and actors, and are resolved by the remainder,
 * so that a chart that shrinks stays a chart.
 */
export interface RawState {
  readonly kind: 'leaf' | 'final' | 'shallow history' | 'deep history' | 'compound' | 'parallel';
  readonly initial: number;
  readonly tags: readonly string[];
  readonly entry: readonly RawAction[];
  readonly exit: readonly RawAction[];
  readonly invoke: readonly RawInvoke[];
  readonly transitions: readonly RawTransition[];
  readonly output: Output | null;
  readonly states: readonly RawState[];
}

export type RawTrigger =
  | { readonly on: string }
  | { readonly after: number }
  | { readonly always: true }
  | { readonly done: true };

export interface RawReaction {
  readonly guard: RawGuard | null;
  readonly target: number | null;
  readonly reenter: boolean;
  readonly actions: readonly RawAction[];
}

export interface RawTransition extends RawReaction {
  readonly trigger: RawTrigger;
}

export interface RawInvoke {
  readonly src: number;
  readonly id: string | null;
  readonly systemId: 'own' | 'shared' | null;
  readonly onDone: RawReaction | null;
  readonly onError: RawReaction | null;
  readonly onSnapshot: RawReaction | null;
}

export type RawGuard =
  | { readonly is: 'count below' | 'payload above'; readonly n: number }
  | { readonly is: 'count even' | 'throwing' }
  | { readonly is: 'in state'; readonly state: number }
  | { readonly is: 'not'; readonly of: RawGuard }
  | { readonly is: 'all' | 'any'; readonly of: readonly RawGuard[] };

/** `n` and `event` mean what the kind of action needs. */
export interface RawAction {
  readonly do: string;
  readonly event: string;
  readonly n: number;
  readonly guard: RawGuard;
  readonly actions: readonly RawAction[];
}

export interface RawChart {
  readonly fuel: number;
  readonly root: RawState;
  readonly output: Output | null;
  readonly actors: readonly RawActor[];
}

export type RawActor =
  | { readonly kind: 'promise'; readonly settle: 'resolve' | 'reject'; readonly hops: number }
  | { readonly kind: 'callback'; readonly greets: boolean; readonly throws: boolean }
  | { readonly kind: 'transition' }
  | { readonly kind: 'observable'; readonly values: number; readonly end: 'complete' | 'error' }
  | { readonly kind: 'machine'; readonly chart: RawChart };
