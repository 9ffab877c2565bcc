import type { AnyActorRef } from 'xstate';
import { addressOf } from '../base/address.ts';
import { later } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import { toAgentRef, type AgentRef } from '../instance/agent-ref.ts';
import type { InstanceEffects } from '../instance/instance-effects.ts';
import { AgentTally } from '../instance/agent-tally.ts';
import { Instance } from '../instance/instance.ts';
import { FailureLog } from '../instance/quarantine.ts';
import type { InstanceRequest, TwinEffects } from '../instance/twins.ts';
import type { HoldfastError } from '../base/errors.ts';
import type { Keeper } from '../store/keeper.ts';
import type { Ledger } from '../store/ledger.ts';
import type { Ledgers } from '../store/ledgers.ts';
import type { Snapshots } from '../store/snapshots.ts';
import type { Running } from './activate.ts';
import { isObserved } from '../xstate/xstate5.ts';
import { Addresses } from './addresses.ts';
import { PassiveInstances } from './passive-instances.ts';
import type { AgentFigures, ResidentCounts } from '../telling/status.ts';
import { Residents } from './residents.ts';

/** The ids that are tried for one whose address is this node's: of several nodes each has one address in 64 at least, or none. */
export const MOST_IDS = 10_000;
/** Milliseconds before the record of an instance that wakes is read again. */
const LOAD_AGAIN_MS = 1000;

export interface InstancesOptions {
  readonly effects: InstanceEffects;
  readonly snapshots: Pick<Snapshots, 'open' | 'defaultState'>;
  /** The ledgers of durable instances, with a store under every turn. */
  readonly ledgers: Ledgers | undefined;
  readonly poolOf: (threadId: string) => Pick<ResolvedPool, 'sharedMemory' | 'maxResident'>;
  /** Gives an incarnation the grants of its agent. */
  readonly openGrants: (instance: Instance) => void;
  /** Whether an address of a durable agent is this node's, of several. */
  readonly owns: (address: string) => boolean;
  /** Throws when the runtime is stopping. */
  readonly assertRunning: () => void;
  readonly logger: Logger;
  readonly warn: (fields: object, message: string) => void;
}

/** The instances of a runtime, by address: from the moment their twins start until nothing is left of them. */
export class Instances implements TwinEffects {
  readonly #options: InstancesOptions;
  readonly #running = new Map<string, Running>();
  readonly #addresses = new Addresses((address) => this.#running.has(address));
  readonly #byTwin = new WeakMap<AnyActorRef, Instance>();
  readonly #passive = new PassiveInstances();
  readonly #residents: Residents;
  /** The instances by agent, counted; of agents that have any. */
  readonly #tallies = new Map<string, AgentTally>();
  /** The failures by agent, for agents whose instances restart together. */
  readonly #groupFailures = new Map<string, FailureLog>();

  constructor(options: InstancesOptions) {
    this.#options = options;
    this.#residents = new Residents({
      clock: options.effects.clock,
      poolOf: options.poolOf,
      warn: options.warn,
      isObserved: ({ address }) => {
        const running = this.#running.get(address);
        return running !== undefined && isObserved(running.ref);
      },
    });
  }

  /** Returns what runs at an address, or is about to. */
  readonly running = (address: string): Running | undefined => this.#running.get(address);

  readonly at = (address: string): Instance | undefined => this.#running.get(address)?.instance;

  ref(address: string): AgentRef | undefined {
    return this.#running.get(address)?.ref;
  }

  /** Returns the instance that a twin stands for. */
  of(twin: AnyActorRef): Instance | undefined {
    return this.#byTwin.get(twin);
  }

  /** Returns the instances in the order of their starts. */
  all(): Instance[] {
    return Array.from(this.#running.values(), ({ instance }) => instance);
  }

  /**
   * Counts the instances by agent: no instance is looked at, however many there are. `fromPeers`: what they have handled that
   * other agents sent them over links.
   */
  figures(fromPeers: ReadonlyMap<string, number>): AgentFigures[] {
    return Array.from(this.#tallies, ([agent, { states, depth: mailbox, capacity, handled }]) => ({
      agent,
      states,
      handled: handled + (fromPeers.get(agent) ?? 0),
      mailbox,
      capacity,
    }));
  }

  #register(running: Running): void {
    const { instance } = running;
    const { address, agent } = instance;
    const tally = this.#tallies.get(agent.name) ?? new AgentTally();
    this.#tallies.set(agent.name, tally);
    this.#running.set(address, running);
    instance.countIn(tally);
  }

  #unregister({ instance }: Running, passive: boolean): void {
    const { address, agent } = instance;
    this.#running.delete(address);
    instance.countIn(undefined);
    if (this.#tallies.get(agent.name)?.size === 0) this.#tallies.delete(agent.name);
    this.#residents.left(instance, passive);
  }

  /** Whether an instance has the address, or is about to have it. */
  isTaken(address: string): boolean {
    return this.#addresses.isTaken(address) || this.#passive.at(address) !== undefined;
  }

  /** Wakes the instance at an address if it is passive and somebody holds it; returns it. */
  roused(address: string): Running | undefined {
    const passive = this.#passive.at(address);
    passive?.instance.wake();
    return passive;
  }

  /** The passive instances that somebody holds. */
  held(): Instance[] {
    return this.#passive.all().map(({ instance }) => instance);
  }

  /** Whether instances of the agent may be passive. */
  mayRest(agent: ResolvedAgent): boolean {
    const { ledgers } = this.#options;
    return ledgers !== undefined && agent.state !== 'fresh' && this.#residents.canLeave(agent);
  }

  /** Returns the lowest number that was not given to an instance of the agent before, and is not the id of one now. */
  freeId(agent: string): string {
    return this.#addresses.freeId(agent);
  }

  /** Whether there is room in a pool for one more that nobody waits for, or some was made. */
  spare(threadId: string): Promise<boolean> | boolean {
    return this.#residents.spare(threadId);
  }

  /** How many instances of a pool are in memory; undefined where none may leave it. */
  residents(threadId: string): ResidentCounts | undefined {
    return this.#residents.counts(threadId);
  }

  /** Frees the address of an instance of which nothing is left. */
  readonly forget = ({ address }: { readonly address: string }): void => {
    const running = this.#running.get(address);
    if (running !== undefined) this.#unregister(running, false);
  };

  /** Keeps a passive instance for those only who hold its reference, or watch it. */
  readonly shelve = ({ address }: { readonly address: string }): void => {
    const running = this.#running.get(address);
    if (running === undefined) return;
    this.#unregister(running, true);
    this.#passive.add(running);
  };

  /** Somebody watches a passive instance. */
  readonly watched = (instance: { readonly address: string }): void => this.#passive.watched(instance);

  /** Gives a passive instance its address again. `load`: it is to run. */
  readonly unshelve = ({ address }: { readonly address: string }, load: boolean): void => {
    const running = this.#passive.take(address);
    if (running === undefined) return;
    const { instance } = running;
    this.#register(running);
    instance.continuation.reopened();
    this.#residents.woke(instance);
    if (!load) return;
    this.#residents.came(instance);
    this.#load(instance);
  };

  #load(instance: Instance): void {
    const reloaded = instance.continuation.reload().then(() => starting(instance));
    reloaded.then(
      () => this.#placeInTime(instance),
      (error: unknown) => {
        if (!instance.notLoaded(error)) return;
        const { effects, warn } = this.#options;
        const { clock } = effects;
        warn({ address: instance.address, error }, 'an instance could not be woken, which is tried again');
        later(clock, () => this.#load(instance), LOAD_AGAIN_MS);
      },
    );
  }

  /** Places an instance as soon as there is room for it. */
  #placeInTime(instance: Instance): void {
    const room = this.#residents.room(instance);
    if (room === undefined) this.#place(instance);
    else void room.then(() => this.#place(instance));
  }

  #place(instance: Instance): void {
    if (instance.over) return;
    this.#options.openGrants(instance);
    this.#options.effects.place(instance);
  }

  create(request: InstanceRequest, twin: AnyActorRef): Instance {
    const { effects, poolOf, assertRunning } = this.#options;
    assertRunning();
    const { agent, parent } = request;
    const id = request.id ?? this.#invokedId(agent);
    const address = addressOf(agent.name, id);
    // The machine that invoked the instance gets its first error, and decides itself.
    const supervision: ResolvedAgent['supervision'] =
      parent === 'machine'
        ? { ...agent.supervision, restart: 'temporary', strategy: 'one-for-one' }
        : agent.supervision;
    const instance = new Instance({
      agent,
      id,
      address,
      input: request.input,
      snapshot: request.snapshot,
      asks: request.asks,
      sharedMemory: poolOf(agent.threadId).sharedMemory,
      supervision,
      failures: this.#failuresOf(agent, supervision),
      parent,
      ...this.#keeping(request, address),
      effects,
    });
    this.#addresses.reserve(address, twin);
    this.#byTwin.set(twin, instance);
    toAgentRef(twin, instance);
    return instance;
  }

  /** A machine waits for no look into the store, so where that has ids, chance alone gives one that is not among them. */
  #invokedId(agent: ResolvedAgent): string {
    if (!this.isDurable(agent)) return this.#addresses.freeId(agent.name);
    let id: string = crypto.randomUUID();
    for (let tries = 0; tries < MOST_IDS && !this.#options.owns(addressOf(agent.name, id)); tries += 1)
      id = crypto.randomUUID();
    return id;
  }

  observed({ address }: Instance, error: unknown, what: 'observer' | 'actor'): void {
    const message = what === 'observer' ? 'an observer threw' : 'an instance ended with an error';
    this.#options.logger.error({ address, error }, message);
  }

  /**
   * Registers an instance and asks for its seat, once its twin starts and not earlier: a machine may stop a child in the
   * transition that spawned it, of which the child is not told.
   */
  begin(instance: Instance, twin: AnyActorRef): void {
    this.#addresses.release(instance.address, twin);
    this.#register({ instance, ref: twin as unknown as AgentRef });
    this.#residents.came(instance);
    try {
      const prepared = instance.prepared();
      if (prepared === undefined) this.#placeInTime(instance);
      else
        prepared
          .then(() => {
            if (instance.continuation.woken) this.#residents.woke(instance);
            return starting(instance);
          })
          .then(() => this.#placeInTime(instance))
          .catch((error: unknown) => instance.startFailed(error));
    } catch (error) {
      instance.startFailed(error);
    }
  }

  /** Whether an instance of the agent is durable that has an id which was given, and no machine as its parent. */
  isDurable(agent: Pick<ResolvedAgent, 'state'>): boolean {
    return this.#options.ledgers !== undefined && agent.state !== 'fresh';
  }

  /** Opens what keeps the state of an instance, if anything does. A machine restarts nothing that it invoked. */
  #keeping(
    { agent, parent, named = false, recorded = false }: InstanceRequest,
    address: string,
  ): { readonly keeper?: Keeper; readonly ledger?: Ledger } {
    const { snapshots, ledgers, warn } = this.#options;
    const state = agent.state ?? (ledgers === undefined ? snapshots.defaultState : 'snapshot');
    if (parent === 'machine' || state === 'fresh') return {};
    const fenced = (error: HoldfastError): void => {
      // That a partition moves is no fault, and it may have many instances.
      if (error.code !== 'NODE_UNREACHABLE')
        warn(
          { address, error },
          'an instance ends here, because nothing more of it can be kept; see the error',
        );
      void this.at(address)?.fenced(error);
    };
    // An id that was given is what another process can find the instance by.
    if (ledgers !== undefined && named) {
      return {
        ledger: ledgers.open(address, {
          capacity: agent.capacity,
          behind: agent.durable === false,
          recorded,
          arrived: (rows, first) => this.at(address)?.inbox.arrived(rows, first),
          retract: (row) => this.at(address)?.mailbox.retract(row) === true,
          hasRoom: () => this.at(address)?.mailbox.hasRoom === true,
          slow: (isSlow) => this.at(address)?.mailbox.slow(isSlow),
          damaged: (error) => this.at(address)?.unfit(error),
          fenced,
        }),
      };
    }
    return { keeper: snapshots.open(address, named, fenced) };
  }

  #failuresOf({ name }: ResolvedAgent, { strategy, intensity }: ResolvedAgent['supervision']): FailureLog {
    const shared = this.#groupFailures.get(name);
    if (shared !== undefined && strategy !== 'one-for-one') return shared;
    const failures = new FailureLog(intensity.restarts);
    if (strategy !== 'one-for-one') this.#groupFailures.set(name, failures);
    return failures;
  }
}

/** What is to be waited for before an instance may be placed, in a careful start. */
function starting({ over, continuation }: Instance): Promise<void> | undefined {
  return over ? undefined : continuation.starting();
}
