import type { AnyEventObject, Subscription } from 'xstate';
import { type TwinState, UnknownSnapshot } from '../../actors/twin.ts';
import { isObject } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import type { AgentRef } from '../instance/agent-ref.ts';
import { bytesIn, measure } from '../mailbox/size.ts';
import { LARGEST_CHUNK, MOST_UNSENT } from '../mailbox/stream-window.ts';
import { type ErrorsWithin, findErrors } from '../wire/errors-within.ts';
import { encodeSnapshot, toClonable, type WireSnapshot } from '../wire/snapshot.ts';
import type { CallWait } from './node-server.ts';

/** What those who observe an instance from another node want of it, besides its end. */
export interface MirrorWants {
  readonly states: boolean;
  readonly events: boolean;
}

/** What they are told, one after the other. */
export type MirrorPart =
  /** From here on they are told. */
  | { readonly begun: true }
  /** The latest state; without one, that which came ahead of an event. */
  | { readonly state?: WireSnapshot }
  /** The state in which the next event was emitted. */
  | { readonly ahead: WireSnapshot }
  | { readonly event: AnyEventObject; readonly errors?: ErrorsWithin }
  /** So many events before the next one were left out. */
  | { readonly left: number };

/** The most events that wait for their observers, and with {@link MOST_UNSENT} the most bytes: as many as an inbox takes by default. */
export const MOST_EVENTS = 1000;

type Waiting = readonly [event: AnyEventObject, bytes: number];

/** Tells the observers on another node what they want; resolves with the last state when the instance has ended. */
export function mirrored(
  ref: AgentRef,
  { signal, write, wants }: Pick<CallWait, 'signal' | 'write' | 'wants'>,
  isAway: (address: string) => boolean,
): Promise<WireSnapshot | undefined> {
  return new Promise((resolve, reject) => {
    const source = new MirrorSource(ref, { write, isAway, resolve, reject });
    signal.addEventListener('abort', () => {
      source.close();
      resolve(undefined);
    });
    wants.changed = (value) => source.become(value);
    source.open(wants.value);
  });
}

interface MirrorSourceOptions {
  readonly write: CallWait['write'];
  readonly isAway: (address: string) => boolean;
  readonly resolve: (last: WireSnapshot) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An instance of this node as it is observed from another one. Of states that nobody has taken only the latest is told; events
 * wait in their order, up to a bound, above which the oldest are left out and counted.
 */
class MirrorSource {
  readonly #ref: AgentRef;
  readonly #options: MirrorSourceOptions;
  readonly #events: Waiting[] = [];
  #bytes = 0;
  #left = 0;
  /** There is a state that was not told. */
  #isChanged = false;
  /** Nobody takes more for the moment. */
  #isHeld = false;
  #isOver = false;
  #last: (() => void) | undefined;
  #told: TwinState | undefined;
  #end: Subscription | undefined;
  #states: Subscription | undefined;
  #emitted: Subscription | undefined;

  constructor(ref: AgentRef, options: MirrorSourceOptions) {
    this.#ref = ref;
    this.#options = options;
  }

  open(wants: unknown): void {
    void this.#options.write({ begun: true } satisfies MirrorPart);
    this.#end = this.#ref.subscribe({
      complete: () => this.#completed(),
      error: (error: unknown) => this.#failed(error),
    });
    this.become(wants);
  }

  become(wants: unknown): void {
    if (this.#isOver || this.#last !== undefined) return;
    const { states, events } = (isObject(wants) ? wants : {}) as Partial<MirrorWants>;
    if (events === true) this.#emitted ??= this.#ref.on('*', (event) => this.#hear(event as AnyEventObject));
    else {
      this.#emitted?.unsubscribe();
      this.#emitted = undefined;
    }
    if (states === true) this.#states ??= this.#follow();
    else {
      this.#states?.unsubscribe();
      [this.#states, this.#told, this.#isChanged] = [undefined, undefined, false];
    }
  }

  /** Nobody observes any more. */
  close(): void {
    this.#isOver = true;
    this.#letGo();
    this.#events.length = 0;
  }

  #follow(): Subscription {
    return this.#ref.subscribe({
      next: ({ status }: { status: string }) => {
        // The last one is told as such.
        if (status !== 'active') return;
        this.#isChanged = true;
        this.#tell();
      },
      error() {},
    });
  }

  #letGo(): void {
    for (const one of [this.#end, this.#states, this.#emitted]) one?.unsubscribe();
  }

  #hear(event: AnyEventObject): void {
    const bytes = this.#isHeld ? (bytesIn(measure(event, LARGEST_CHUNK)) ?? LARGEST_CHUNK) : 0;
    this.#events.push([event, bytes]);
    this.#bytes += bytes;
    while (this.#events.length > MOST_EVENTS || this.#bytes > MOST_UNSENT) this.#leaveOut();
    this.#tell();
  }

  #leaveOut(): void {
    const [, bytes] = this.#events.shift() as Waiting;
    this.#bytes -= bytes;
    this.#left += 1;
  }

  #tell(): void {
    while (!this.#isHeld && !this.#isOver) {
      const part = this.#next();
      if (part === undefined) return this.#last?.();
      const room = this.#write(part);
      if (room === undefined) continue;
      this.#isHeld = true;
      void room.then(() => {
        this.#isHeld = false;
        this.#tell();
      });
    }
  }

  #next(): MirrorPart | undefined {
    const [first] = this.#events;
    if (this.#isChanged) {
      this.#isChanged = false;
      const wire = this.#newState();
      return wire === undefined ? {} : { state: wire };
    }
    if (first !== undefined) {
      const wire = this.#states && this.#newState();
      if (wire !== undefined) return { ahead: wire };
    }
    if (this.#left > 0) {
      const left = this.#left;
      this.#left = 0;
      return { left };
    }
    if (first === undefined) return undefined;
    this.#events.shift();
    const [event, bytes] = first;
    this.#bytes -= bytes;
    const errors = findErrors(event);
    return { event, ...(errors && { errors }) };
  }

  /** The state as it is now, unless it was told. */
  #newState(): WireSnapshot | undefined {
    const state = this.#ref.getSnapshot() as TwinState;
    const told = this.#told;
    if (state === told || state instanceof UnknownSnapshot) return undefined;
    this.#told = state;
    const { value, context, tags, children } = state;
    const isTold =
      told !== undefined &&
      told.value === value &&
      told.context === context &&
      told.tags === tags &&
      told.children === children;
    return isTold ? undefined : encodeSnapshot(state);
  }

  #write(part: MirrorPart): Promise<void> | undefined {
    const { write } = this.#options;
    try {
      return write(part);
    } catch {
      if ('event' in part) this.#left += 1;
      else if ('state' in part && part.state) return write({ state: toClonable(part.state) });
      else if ('ahead' in part) return write({ ahead: toClonable(part.ahead) });
      return undefined;
    }
  }

  #completed(): void {
    const { status } = this.#ref.getSnapshot() as TwinState;
    if (status === 'done') return this.#ended();
    // Whether it was stopped, or its node stops, is known only to those who watch.
    this.#ref.watch(({ reason }) => {
      if (reason === 'shutdown') this.#lost();
      else this.#ended();
    });
  }

  #failed(error: unknown): void {
    if (isOfNode(error) || this.#options.isAway(this.#ref.address)) this.#lost();
    else this.#ended();
  }

  /** The instance has not ended: it goes on, and not here. */
  #lost(): void {
    const { address } = this.#ref;
    this.close();
    this.#options.reject(
      new HoldfastError(
        'NODE_UNREACHABLE',
        `${address} goes on on another node, or when its own is back; try again`,
      ),
    );
  }

  /** Has what waits told, and then the last state. */
  #ended(): void {
    this.#isChanged = false;
    this.#letGo();
    this.#last = () => {
      this.#isOver = true;
      this.#options.resolve(encodeSnapshot(this.#ref.getSnapshot() as TwinState));
    };
    this.#tell();
  }
}

/** Whether it is no error of the instance: its node stops, or another process goes on with it. */
function isOfNode(error: unknown): boolean {
  return (
    error instanceof HoldfastError && ['RUNTIME_STOPPED', 'STORE_LOCKED', 'STORE_FENCED'].includes(error.code)
  );
}
