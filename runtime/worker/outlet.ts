import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { refusal, unclonableAdvice } from '../dead-letters/refusal.ts';
import { encodeEvent } from '../wire/encoded-state.ts';
import type { LetterReport, SendOf, WaitOf } from '../wire/protocol.ts';
import type { HostAsk, HostAsks } from './host-asks.ts';
import type { PeerBridge, Self } from './thread-state.ts';
import { currentTrace } from './trace-context.ts';
import type { Commits, Committing } from './commits.ts';
import { unfit } from './unfit.ts';

export interface OutletOptions {
  readonly slot: number;
  readonly commits: Pick<Commits, 'after'>;
  /** What waits for the outcomes of events that go by way of the host. */
  readonly asks: Pick<HostAsks, 'open' | 'reject'>;
  /** The way of instances that are not durable. */
  readonly peers: PeerBridge;
  readonly letter: (letter: LetterReport) => void;
  /** Whether the state may have changed since it was told. */
  readonly changed: () => boolean;
  /** The instance has something to tell. */
  readonly touched: () => void;
  /** Whether the incarnation has ended. */
  readonly over: () => boolean;
}

/** Events are measured where they arrive: by the host. */
const ANY_SIZE = { maxBytes: Infinity, sharedMemory: false };

/** Why an event cannot leave. */
type Refused = readonly [reason: DeadLetterReason, cause: undefined, why: string | undefined];

/** What a thread reports of an instance beside its state. */
interface Told {
  readonly kind: number;
  readonly payload: unknown;
}

/**
 * What a durable instance lets out: it leaves with the state after the turn, in one transaction, or not at all when the
 * turn fails.
 */
export class Outlet implements PeerBridge, Committing {
  readonly #options: OutletOptions;
  #sends: SendOf[] = [];
  #told: Told[] = [];
  #acks: (() => void)[] = [];
  #waiting = 0;
  /** The number of asks and deliveries that have no outcome yet. */
  #asked = 0;
  /** How often it has told its state, and up to where that is known to be committed. */
  #tells = 0;
  #known = -1;
  #failed = false;

  constructor(options: OutletOptions) {
    this.#options = options;
  }

  send(from: Self | undefined, address: string, event: unknown, activate = false): void {
    const { over, peers } = this.#options;
    // Refused, as what any instance sends that has ended.
    if (over()) return peers.send(from, address, event, activate);
    this.#add(address, event, activate);
  }

  ask(...args: Parameters<PeerBridge['ask']>): Promise<unknown> {
    const { over, peers } = this.#options;
    return over() ? peers.ask(...args) : this.#open('ask', args);
  }

  deliver(...args: Parameters<PeerBridge['deliver']>): Promise<unknown> {
    const { over, peers } = this.#options;
    return over() ? peers.deliver(...args) : this.#open('delivery', args);
  }

  #open(kind: HostAsk['kind'], [, address, event, wait]: Parameters<PeerBridge['ask']>): Promise<unknown> {
    return this.#options.asks.open({
      kind,
      address,
      wait,
      leave: (waits) => {
        this.#asked += 1;
        const refused = this.#add(address, event, wait.activate === true, waits);
        if (refused !== undefined) throw refusal(address, ...refused);
      },
      settled: this.#settled,
    });
  }

  readonly #settled = (): void => void (this.#asked -= 1);

  /** Takes an event that is to leave; makes a letter of one that cannot, and returns why. */
  #add(address: string, event: unknown, activate: boolean, wait?: WaitOf): Refused | undefined {
    const found = unfit(event, ANY_SIZE);
    if (typeof found === 'string')
      return this.#refuse(address, event, found === 'too-deep' ? 'unclonable' : found);
    try {
      const encoded = encodeEvent(event);
      const trace = currentTrace();
      this.#sends.push(
        wait === undefined ? [address, encoded, trace, activate] : [address, encoded, trace, activate, wait],
      );
    } catch {
      return this.#refuse(address, event, 'unclonable');
    }
    this.#options.touched();
    return undefined;
  }

  watch(...args: Parameters<PeerBridge['watch']>): () => void {
    return this.#options.peers.watch(...args);
  }

  /** Returns what was sent since the last time, and forgets it; `undefined` for nothing. */
  take(): readonly SendOf[] | undefined {
    if (this.#sends.length === 0) return undefined;
    const sends = this.#sends;
    this.#sends = [];
    return sends;
  }

  /** Holds a report until the state after it is told. */
  hold(kind: number, payload: unknown): void {
    this.#told.push({ kind, payload });
    this.#options.touched();
  }

  /** Reports what was held, in its order. */
  letOut(report: (kind: number, payload: unknown) => void): void {
    const [told, acks] = [this.#told, this.#acks];
    this.#tells += 1;
    if (told.length > 0) this.#told = [];
    for (const { kind, payload } of told) report(kind, payload);
    if (acks.length === 0) return;
    this.#acks = [];
    this.#after(() => {
      for (const run of acks) run();
    });
  }

  /** Holds an ack to another thread until the state after it is committed. */
  holdAck(run: () => void): void {
    const { over, touched } = this.#options;
    if (this.#failed) run();
    else if (over()) this.#after(run);
    else {
      this.#acks.push(run);
      touched();
    }
  }

  /** Resolves when the state that the instance has now is committed; undefined when it is. */
  committed(): Promise<void> | undefined {
    const { changed, commits } = this.#options;
    const last = changed() ? this.#tells + 1 : this.#tells;
    if (this.#known === last) return undefined;
    return new Promise((resolve) => {
      commits.after(this, () => {
        this.#known = Math.max(this.#known, last);
        resolve();
      });
    });
  }

  #after(run: () => void): void {
    this.#waiting += 1;
    this.#options.commits.after(this, () => {
      this.#waiting -= 1;
      run();
    });
  }

  get slot(): number {
    return this.#options.slot;
  }

  /** Whether acks to another thread wait, or the instance for the outcome of what it has sent. */
  get holds(): boolean {
    return this.#waiting > 0 || this.#acks.length > 0 || this.#asked > 0;
  }

  get isEmpty(): boolean {
    return this.#sends.length === 0 && this.#told.length === 0 && this.#acks.length === 0;
  }

  /** A turn has failed: forgets everything, and says to others at once how it ended. */
  fail(): void {
    this.drop();
    this.#failed = true;
  }

  /** Forgets everything. */
  drop(): void {
    const sends = this.#sends;
    this.#sends = [];
    for (const [to, , , , wait] of sends)
      if (wait !== undefined) this.#options.asks.reject(wait[0], refusal(to, 'stale-incarnation'));
    this.#told = [];
    this.#acks = [];
  }

  #refuse(address: string, event: unknown, reason: DeadLetterReason): Refused {
    const why = reason === 'unclonable' ? unclonableAdvice(event) : undefined;
    this.#options.letter({ address, reason, event, why });
    return [reason, undefined, why];
  }
}
