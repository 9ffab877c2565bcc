import type { Subscription } from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import type { KeptAsk } from '../instance/ask-stream.ts';
import type { GivenId, KeptKind } from '../instance/kept-calls.ts';
import type { WatchListener } from '../instance/watchers.ts';
import type { Origin } from '../mailbox/trace.ts';
import type { WaitOptions } from '../mailbox/waiting.ts';
import type { ClusterStatus, RuntimeFigures } from '../telling/status.ts';

/** What one of several nodes with a common store runs, as its runtime sees it. */
export interface NodeShare {
  /** The number of this node, which it has from when it joins on. */
  readonly node: number | undefined;
  /** Whether instances of an address that are in the store run here. */
  owns(address: string): boolean;
  /** An event for an address that this node does not own is in the store: whoever owns it is to look. */
  nudge(address: string): void;
  /** Starts the instance at an address that this node does not own, unless it is there. Rejects with the error of its start. */
  begin(address: string): Promise<void>;
  /** Asks an instance of an address that this node does not own, or delivers to it. */
  ask(address: string, kind: 'ask' | 'delivery', event: object, wait: AwayWait): Promise<unknown>;
  /** Watches an instance of an address that this node does not own. The listener is never called before this returns. */
  watch(address: string, listener: WatchListener): Subscription;
  /** Sends an event with an id, once for each caller, to an instance of an address that this node does not own. */
  keep(
    address: string,
    kind: KeptKind,
    event: unknown,
    given: GivenId,
    wait: Pick<WaitOptions, 'timeoutMs' | 'signal'>,
  ): Promise<unknown>;
  /** {@link keep} of an ask whose answer is read as it is written. */
  keepStream(
    address: string,
    event: unknown,
    given: GivenId,
    wait: Pick<WaitOptions, 'timeoutMs' | 'signal'>,
  ): KeptAsk;
  /** The runtime stops: what it has sent is to be in the store, whatever it waits for. */
  release(): void;
  /** The nodes, as this one sees them; undefined before it has joined them. */
  status(): ClusterStatus | undefined;
  /** What a node says of itself. Rejects with `NODE_UNREACHABLE`. */
  figuresOf(node: number): Promise<RuntimeFigures>;
}

/** How long an agent waits for one on another node, how many asks led to that, and where it comes from. */
export interface AwayWait {
  readonly timeoutMs: number;
  readonly depth: number;
  readonly origin: Origin;
}

/** The error for an instance that is not durable, and sends to one that runs on another node. */
export function notLinked(address: string): HoldfastError {
  return new HoldfastError(
    'NOT_LOCAL',
    `${address} belongs to another node, and an instance that is not durable reaches those of its own node alone; send from a ` +
      'durable one, or from the program',
  );
}

/** The error for who wants an instance here that runs on another node. */
export function notLocal(address: string): HoldfastError {
  return new HoldfastError(
    'NOT_LOCAL',
    `${address} belongs to another node, and is not started on this one: reach it there`,
  );
}
