import type { AnyEventObject } from 'xstate';
import type { TwinState } from '../../actors/twin.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import type { DoneReport } from '../wire/protocol.ts';
import type { WireSnapshot } from '../wire/snapshot.ts';
import { stateFrom } from './mirrored-state.ts';

/** A twin, as its instance needs it. */
export interface Twin {
  /** Its own queue, past the interception of user events. */
  queue(event: AnyEventObject): void;
  /** Gives the twin a state that no observer is told of. */
  advance(state: Partial<TwinState>): void;
  /** Emits an event to those who listen to the twin with `on`. */
  emit(event: AnyEventObject): void;
  /** Sends an event to the twin's parent, as the twin itself would; `false` when it has none. */
  sendToParent(event: AnyEventObject): boolean;
  /** Has the twin live again that had ended with the quarantine. */
  revive(): void;
}

/** How an instance has ended, or would: by itself, or because it was stopped. */
export type InstanceEnd =
  | { readonly kind: 'done'; readonly report: DoneReport }
  | { readonly kind: 'failed'; readonly error: unknown; readonly snapshot?: WireSnapshot | undefined }
  | { readonly kind: 'stopped'; readonly reason: 'stopped' | 'shutdown' };

export interface TwinLineOptions {
  readonly address: string;
  /** Whether a machine of the user is the parent, or only the pool. */
  readonly parent: 'machine' | 'pool';
  readonly effects: { readonly deadLetters: DeadLetters; readonly scrubber: Pick<Scrubber, 'scrub'> };
}

/** The way of an instance back to its twin: what its thread tells of it, for the host's actors. */
export class TwinLine {
  readonly #options: TwinLineOptions;
  readonly #of: { readonly incarnation: number };
  #twin: Twin | undefined;

  constructor(of: { readonly incarnation: number }, options: TwinLineOptions) {
    this.#of = of;
    this.#options = options;
  }

  bind(twin: Twin): void {
    this.#twin = twin;
  }

  /** The twin was stopped, and is told nothing more. */
  cut(): void {
    this.#twin = undefined;
  }

  /** Without a state: the one that came ahead with an event. */
  mirrored(wire: WireSnapshot | undefined): void {
    this.#twin?.queue({ type: 'holdfast.mirror', state: this.#stateFrom(wire) });
  }

  /** An event follows; who reads the state then finds this one, and observers are told of it afterwards. */
  mirroredAhead(wire: WireSnapshot): void {
    this.#twin?.advance(this.#stateFrom(wire));
  }

  emitted(event: AnyEventObject): void {
    this.#twin?.emit(event);
  }

  /** What the agent sends to its parent; a spawned instance has none that could take it. */
  sentToParent(event: AnyEventObject): void {
    if (this.#twin === undefined) return;
    const sent = this.#options.parent === 'machine' && this.#twin.sendToParent(event);
    if (!sent) this.refusedToParent(event, 'unknown-address');
  }

  /** What the instance sent to its parent came to nothing. */
  refusedToParent(event: AnyEventObject, reason: 'unknown-address' | 'reserved'): void {
    const { address, effects } = this.#options;
    const { incarnation } = this.#of;
    effects.deadLetters.add({ address, reason, event, incarnation, toParent: true });
  }

  /** So many events that the instance had told died with its thread before the host heard of them. */
  lost(count: number): void {
    if (count <= 0) return;
    const { address, effects } = this.#options;
    const { incarnation } = this.#of;
    const letter = { address, reason: 'crashed', event: undefined, incarnation, lost: count } as const;
    effects.deadLetters.add({ ...letter, toHost: true });
  }

  /** What the twin is told when nothing of the instance is left. */
  last(end: InstanceEnd): AnyEventObject {
    if (end.kind === 'stopped') return { type: 'xstate.stop' };
    if (end.kind === 'failed')
      return { type: 'holdfast.failed', error: end.error, state: this.#stateFrom(end.snapshot) };
    const { output, snapshot } = end.report;
    return { type: 'holdfast.done', output, state: this.#stateFrom(snapshot) };
  }

  /** The twin ends, with its {@link last} event. */
  end(last: AnyEventObject): void {
    this.#twin?.queue(last);
  }

  revive(): void {
    this.#twin?.revive();
  }

  /** The state itself is the agent's own business; an error is there to be shown. */
  #stateFrom(wire: WireSnapshot | undefined): Partial<TwinState> {
    if (wire === undefined) return {};
    const state = stateFrom(wire);
    if (state.error === undefined) return state;
    return { ...state, error: this.#options.effects.scrubber.scrub(state.error) };
  }
}
