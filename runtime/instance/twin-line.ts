import type { AnyEventObject } from 'xstate';
import type { TwinState } from '../../actors/twin.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import type { DoneReport } from '../wire/protocol.ts';
import type { WireSnapshot } from '../wire/snapshot.ts';
import { stateFrom } from './mirrored-state.ts';

/** A twin as its instance needs it. */
export interface Twin {
  /** Puts an event into the twin's own queue, past the interception of user events. */
  queue(event: AnyEventObject): void;
  /** Gives the twin a state without notifying observers. */
  advance(state: Partial<TwinState>): void;
  /** Emits an event to the listeners that `on` of the twin has registered. */
  emit(event: AnyEventObject): void;
  /** Sends an event to the twin's parent, as the twin itself would; `false` when it has none. */
  sendToParent(event: AnyEventObject): boolean;
  /** Makes a twin active again that had ended with the quarantine. */
  revive(): void;
}

/** The end of an instance: by itself, or because it was stopped. */
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

/** The line from an instance back to its twin: carries what its thread reports to the host's actors. */
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

  /** Tells the twin nothing more, because it was stopped. */
  cut(): void {
    this.#twin = undefined;
  }

  /** Tells the twin and its observers the state; without one, the state that came ahead of an event. */
  mirrored(wire: WireSnapshot | undefined): void {
    this.#twin?.queue({ type: 'holdfast.mirror', state: this.#stateFrom(wire) });
  }

  /** Sets the state ahead of an event, whose listeners then read this state; observers are told of it afterwards. */
  mirroredAhead(wire: WireSnapshot): void {
    this.#twin?.advance(this.#stateFrom(wire));
  }

  emitted(event: AnyEventObject): void {
    this.#twin?.emit(event);
  }

  /** Passes an event on to the parent; that of a spawned instance is the pool, and the event becomes a dead letter. */
  sentToParent(event: AnyEventObject): void {
    if (this.#twin === undefined) return;
    const sent = this.#options.parent === 'machine' && this.#twin.sendToParent(event);
    if (!sent) this.refusedToParent(event, 'unknown-address');
  }

  /** Makes a dead letter of an event that the instance sent to its parent. */
  refusedToParent(event: AnyEventObject, reason: 'unknown-address' | 'reserved'): void {
    const { address, effects } = this.#options;
    const { incarnation } = this.#of;
    effects.deadLetters.add({ address, reason, event, incarnation, toParent: true });
  }

  /** Adds a dead letter for `count` events that the instance had told, and that its thread lost before the host got them. */
  lost(count: number): void {
    if (count <= 0) return;
    const { address, effects } = this.#options;
    const { incarnation } = this.#of;
    const letter = { address, reason: 'crashed', event: undefined, incarnation, lost: count } as const;
    effects.deadLetters.add({ ...letter, toHost: true });
  }

  /** Returns the event that ends the twin when nothing of the instance is left. */
  last(end: InstanceEnd): AnyEventObject {
    if (end.kind === 'stopped') return { type: 'xstate.stop' };
    if (end.kind === 'failed')
      return { type: 'holdfast.failed', error: end.error, state: this.#stateFrom(end.snapshot) };
    const { output, snapshot } = end.report;
    return { type: 'holdfast.done', output, state: this.#stateFrom(snapshot) };
  }

  /** Ends the twin with its {@link last} event. */
  end(last: AnyEventObject): void {
    this.#twin?.queue(last);
  }

  revive(): void {
    this.#twin?.revive();
  }

  /** Scrubs the error alone: it is there to be shown, while the state is the agent's own business. */
  #stateFrom(wire: WireSnapshot | undefined): Partial<TwinState> {
    if (wire === undefined) return {};
    const state = stateFrom(wire);
    if (state.error === undefined) return state;
    return { ...state, error: this.#options.effects.scrubber.scrub(state.error) };
  }
}
