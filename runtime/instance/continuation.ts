import type { ResolvedAgent } from '../config/resolve.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Keeper } from '../store/keeper.ts';
import type { ActivateRequest, CarriedAsk } from '../wire/protocol.ts';
import { withoutShared } from '../wire/shared-memory.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { Berth } from './berth.ts';
import { CarriedAsks, type AskToCarry } from './carried-asks.ts';

export interface ContinuationOptions {
  readonly agent: ResolvedAgent;
  readonly id: string;
  readonly address: string;
  readonly input: unknown;
  /** What `persist()` gave, to begin with. */
  readonly snapshot: PersistedState | undefined;
  /** What the instance put off in another process, and answers here. */
  readonly asks?: readonly AskToCarry[] | undefined;
  /** Keeps the state, when restarts are to go on from there. */
  readonly keeper?: Keeper | undefined;
  /** Whether what the instance is sent may carry memory that threads share: the config of its pool says. */
  readonly sharedMemory: boolean;
  readonly effects: { readonly waiting: Waiting };
}

/** Where an instance goes on when it starts: from its input, a given or kept state, or the thread that it has left. */
export class Continuation {
  readonly #of: { readonly incarnation: number };
  readonly #options: ContinuationOptions;
  /** What the instance took along from a thread that is replaced. */
  #moved: PersistedState | undefined;
  #carried: CarriedAsks | undefined;

  constructor(of: { readonly incarnation: number }, options: ContinuationOptions) {
    this.#of = of;
    this.#options = options;
    if (options.asks !== undefined) this.#carried = this.#carry(options.asks);
  }

  /** The instance was given a state to begin with. */
  get given(): boolean {
    return this.#options.snapshot !== undefined;
  }

  /** Whether a restart goes on from the last state that the instance told. */
  get keepsState(): boolean {
    return this.#options.keeper?.keeps === true;
  }

  /**
   * Finds out where to go on, when that is to be asked of the store. Resolves with the last incarnation that the store knows;
   * rejects with `STORE_FAILED`.
   */
  prepared(): Promise<number | undefined> | undefined {
    const { keeper, snapshot } = this.#options;
    if (snapshot !== undefined) keeper?.beginWith(snapshot);
    return keeper?.stored === true ? this.#load(keeper) : undefined;
  }

  async #load(keeper: Keeper): Promise<number | undefined> {
    const before = await keeper.load();
    // What the instance was spawned with goes before what is stored.
    const { snapshot } = this.#options;
    if (snapshot !== undefined) keeper.beginWith(snapshot);
    return before;
  }

  /** What the thread is told to start. */
  request(slot: number, watched: boolean): ActivateRequest {
    const { agent, id, address, keeper, sharedMemory, snapshot } = this.#options;
    const asks = this.#carried?.all;
    const from = this.#moved ?? keeper?.last ?? snapshot;
    const pool = { threadId: agent.threadId, sharedMemory };
    const input = withoutShared(this.#options.input, pool, 'MESSAGE_UNCLONABLE', `the input of ${address}`);
    withoutShared(from, pool, 'MESSAGE_UNCLONABLE', `the snapshot of ${address}`);
    return {
      slot,
      address,
      id,
      incarnation: this.#of.incarnation,
      moduleUrl: agent.moduleUrl,
      exportName: agent.exportName,
      input,
      ...from,
      // A move is none of the agent's business: its timers come when they were to come.
      timersPolicy: this.#moved === undefined ? agent.timers : 'deadline',
      tellsState: keeper !== undefined,
      mirror: agent.mirror,
      watched,
      maxIterations: agent.maxIterations,
      ...(asks !== undefined && asks.length > 0 && { asks }),
    };
  }

  /** The instance runs: the asks it carried are like its own, and a restart after that begins as it always does. */
  begun(berth: Berth): void {
    this.#moved = undefined;
    this.#carried?.seated(berth, this.#options.agent.threadId);
  }

  /** The instance has left its thread, and goes on with that state and those asks on another one. */
  moved(state: PersistedState, asks: readonly CarriedAsk[]): void {
    this.#moved = state;
    if (asks.length > 0) this.#carried = (this.#carried ?? this.#carry([])).add(asks);
  }

  /** The instance has left its thread and goes nowhere: nobody answers what it took along. */
  stranded(asks: readonly CarriedAsk[]): void {
    this.#carry([]).add(asks).end();
  }

  /** What the instance took along from its thread is not gone on with. */
  dropped(): void {
    this.#moved = undefined;
  }

  /** The instance gives up its seat: whatever asks it has not taken over by now, nobody answers. */
  unseated(): void {
    this.#carried?.end();
  }

  /** The state of the instance, as far as its thread has told it. */
  keep(state: PersistedState): void {
    this.#options.keeper?.keep(state, this.#of.incarnation);
  }

  cannotKeep(why: string): void {
    this.#options.keeper?.cannotKeep(why);
  }

  /** Whatever follows begins anew. */
  forget(): void {
    this.#options.keeper?.forget(this.#of.incarnation);
  }

  #carry(asks: readonly AskToCarry[]): CarriedAsks {
    const { address, agent, effects } = this.#options;
    return new CarriedAsks(asks, effects.waiting, { address, threadId: agent.threadId });
  }
}
