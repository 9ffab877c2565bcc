import type { Clock } from '../../base/clock.ts';
import type { InstanceStatus, RuntimeStatus } from '../../telling/status.ts';
import type { InspectionHub } from '../inspection-hub.ts';
import { leavesOf, statesInOrder } from './state-values.ts';

export interface FleetsOptions {
  readonly hub: Pick<InspectionHub, 'actors' | 'scrub'>;
  readonly status: () => RuntimeStatus;
  readonly clock: Pick<Clock, 'now' | 'date'>;
}

/** How many instances of an agent are in one of its states, or in a phase of the runtime instead. */
export interface StateCount {
  /** Keys joined by dots, without the machine; of a phase `is:quarantined`. */
  readonly name: string;
  readonly count: number;
  /** Its place among the states of the machine; absent for a phase. */
  readonly place?: number;
}

/** An agent and its instances, by state. */
export interface FleetSummary {
  readonly agent: string;
  readonly total: number;
  /** Those that have no states in them, in the order of the machine; the phases come first. */
  readonly states: readonly StateCount[];
}

/** An instance among the others of its agent. */
export interface FleetRow {
  readonly address: string;
  /** The states that it is in, or a phase. */
  readonly states: readonly string[];
  /** Milliseconds for which it is known to be in them. */
  readonly forMs?: number;
  readonly mailbox: number;
  readonly restarts: number;
  /** The last failure that counts. */
  readonly failure?: { readonly at: number; readonly text: string };
}

export const fleetOrders = ['worst', 'address', 'state', 'time', 'mailbox', 'restarts', 'failure'] as const;
export type FleetOrder = (typeof fleetOrders)[number];

export interface FleetQuestion {
  readonly agent: string;
  /** Only those in this state, or in states in it; `is:` and a phase. */
  readonly state?: string | undefined;
  readonly order: FleetOrder;
  /** The other way round. */
  readonly isReversed: boolean;
  /** Rows from this one on, from 0, at most so many. */
  readonly from: number;
  readonly count: number;
}

export interface Fleet extends FleetSummary {
  readonly threads: number;
  /** Of states with others in them: how many instances are in them. */
  readonly outer: readonly StateCount[];
  /** Median milliseconds in each state, where it is known. */
  readonly medianMs: Readonly<Record<string, number>>;
  /** Instances that are in the state that was asked for. */
  readonly matched: number;
  readonly from: number;
  readonly rows: readonly FleetRow[];
}

/** Milliseconds for which what was counted is told again: the pages together have it counted at most twice a second. */
const KEPT_MS = 450;
const mostAgents = 100;
const mostStates = 400;
export const mostRows = 200;

/** Phases in which an instance is in none of its states for others to see; the worst first. */
const phases = ['quarantined', 'restarting', 'stopping', 'starting', 'moving', 'passive'];

interface Member {
  readonly instance: InstanceStatus;
  readonly states: readonly string[];
  readonly since: number | undefined;
}

interface Counted {
  readonly at: number;
  readonly date: number;
  readonly status: RuntimeStatus;
  readonly members: ReadonlyMap<string, readonly Member[]>;
  readonly definitions: ReadonlyMap<string, string>;
  readonly sorted: Map<string, readonly Member[]>;
}

/** The instances of each agent, counted by state, and any part of them as a list. Nothing is counted while nobody asks. */
export class Fleets {
  readonly #options: FleetsOptions;
  #counted: Counted | undefined;

  constructor(options: FleetsOptions) {
    this.#options = options;
  }

  /** The status that the counts are from. */
  get status(): RuntimeStatus {
    return this.#count().status;
  }

  /** The agents that have instances, those with most first. */
  summaries(): FleetSummary[] {
    const counted = this.#count();
    return Array.from(counted.members)
      .toSorted(([a, left], [b, right]) => right.length - left.length || (a < b ? -1 : 1))
      .slice(0, mostAgents)
      .map(([agent, members]) => this.#summary(counted, agent, members));
  }

  /** Undefined: the agent has no instances. */
  fleet(question: FleetQuestion): Fleet | undefined {
    const counted = this.#count();
    const { agent, from, count } = question;
    const members = counted.members.get(agent);
    if (members === undefined) return undefined;
    const sorted = sortedMembers(counted, members, question);
    const outer = new Map<string, number>();
    const times = new Map<string, number[]>();
    for (const { states, since } of members) {
      for (const name of new Set(states.flatMap(outerOf))) outer.set(name, (outer.get(name) ?? 0) + 1);
      if (since === undefined) continue;
      for (const name of states) {
        const known = times.get(name);
        if (known === undefined) times.set(name, [counted.date - since]);
        else known.push(counted.date - since);
      }
    }
    const { scrub } = this.#options.hub;
    const fleet: Fleet = {
      ...this.#summary(counted, agent, members),
      threads: new Set(members.flatMap(({ instance: { thread } }) => (thread < 0 ? [] : [thread]))).size,
      outer: Array.from(outer, ([name, count]) => ({ name, count })).slice(0, mostStates),
      medianMs: Object.fromEntries(Array.from(times, ([name, all]) => [name, median(all)])),
      matched: sorted.length,
      from,
      rows: sorted.slice(from, from + Math.min(count, mostRows)).map((member) => rowOf(member, counted.date)),
    };
    return scrub.call(this.#options.hub, fleet) as Fleet;
  }

  #summary({ definitions }: Counted, agent: string, members: readonly Member[]): FleetSummary {
    const counts = new Map<string, number>();
    for (const { states } of members)
      for (const name of states) counts.set(name, (counts.get(name) ?? 0) + 1);
    const places = statesInOrder(definitions.get(agent));
    const states = Array.from(counts, ([name, count]): StateCount => {
      const place = places.get(name);
      return { name, count, ...(place !== undefined && { place }) };
    });
    const rank = ({ name, place = states.length + places.size }: StateCount): number =>
      name.startsWith('is:') ? phaseRank(name) - phases.length - 1 : place;
    const ordered = states.toSorted((a, b) => rank(a) - rank(b)).slice(0, mostStates);
    return this.#options.hub.scrub({ agent, total: members.length, states: ordered });
  }

  #count(): Counted {
    const { hub, clock, status } = this.#options;
    const at = clock.now();
    if (this.#counted !== undefined && at - this.#counted.at < KEPT_MS) return this.#counted;
    const known = new Map<string, { states: readonly string[]; since: number }>();
    const definitions = new Map<string, string>();
    for (const { id, isInstance, definition, state, since } of hub.actors()) {
      if (!isInstance) continue;
      known.set(id, { states: leavesOf(state.value), since });
      const agent = agentOf(id);
      if (definition !== undefined && !definitions.has(agent)) definitions.set(agent, definition);
    }
    const now = status();
    const members = new Map<string, Member[]>();
    for (const instance of now.instances) {
      if (instance.state === 'ended') continue;
      const { agent, address, state } = instance;
      const shown = state === 'running' ? known.get(address) : undefined;
      const since = shown?.since ?? failureOf(instance)?.at;
      const member = { instance, states: shown?.states ?? [`is:${state}`], since };
      const others = members.get(agent);
      if (others === undefined) members.set(agent, [member]);
      else others.push(member);
    }
    const date = clock.date();
    this.#counted = { at, date, status: now, members, definitions, sorted: new Map() };
    return this.#counted;
  }
}

/** What a page asks for; undefined: it asks for nothing that makes sense. */
export function fleetQuestion(asked: object): FleetQuestion | undefined {
  const {
    agent,
    state,
    order = 'worst',
    isReversed = false,
    from = 0,
    count = 0,
  } = asked as Partial<FleetQuestion>;
  if (typeof agent !== 'string' || typeof isReversed !== 'boolean' || !fleetOrders.includes(order))
    return undefined;
  if (state !== undefined && typeof state !== 'string') return undefined;
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(count) || from < 0 || count < 0) return undefined;
  return { agent, state, order, isReversed, from, count };
}

function sortedMembers(
  { sorted }: Counted,
  members: readonly Member[],
  { agent, state, order, isReversed }: FleetQuestion,
): readonly Member[] {
  const key = JSON.stringify([agent, state, order, isReversed]);
  const known = sorted.get(key);
  if (known !== undefined) return known;
  const wanted =
    state === undefined
      ? members
      : members.filter(({ states }) => states.some((name) => name === state || name.startsWith(`${state}.`)));
  const by = comparisons[order];
  const made = wanted.toSorted(
    (a, b) => (isReversed ? -1 : 1) * (by(a, b) || compare(a.instance.address, b.instance.address)),
  );
  sorted.set(key, made);
  return made;
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
const bySince = (a: Member, b: Member): number => (a.since ?? Infinity) - (b.since ?? Infinity) || 0;
const failedAt = ({ instance }: Member): number => failureOf(instance)?.at ?? -Infinity;

const comparisons: Readonly<Record<FleetOrder, (a: Member, b: Member) => number>> = {
  worst: (a, b) => severity(a) - severity(b) || bySince(a, b),
  address: () => 0,
  state: (a, b) => compare(a.states.join(), b.states.join()),
  time: bySince,
  mailbox: (a, b) => b.instance.mailbox - a.instance.mailbox,
  restarts: (a, b) => b.instance.restarts - a.instance.restarts,
  failure: (a, b) => failedAt(b) - failedAt(a) || 0,
};

/** What somebody has to look at first is the least. */
function severity({ instance: { state, failure } }: Member): number {
  if (state === 'running') return failure === undefined ? phases.length + 1 : 2;
  return phaseRank(`is:${state}`);
}

function phaseRank(name: string): number {
  const rank = phases.indexOf(name.slice('is:'.length));
  return rank === -1 ? phases.length : rank;
}

function rowOf({ instance, states, since }: Member, date: number): FleetRow {
  const { address, mailbox, restarts } = instance;
  const failure = failureOf(instance);
  return {
    address,
    states,
    mailbox,
    restarts,
    ...(since !== undefined && { forMs: Math.max(0, date - since) }),
    ...(failure !== undefined && { failure }),
  };
}

function failureOf({ quarantine, failure }: InstanceStatus): FleetRow['failure'] | undefined {
  if (quarantine !== undefined) {
    const at = quarantine.failures.at(-1)?.at ?? 0;
    return { at, text: quarantine.because ?? textOf(quarantine.error) };
  }
  if (failure === undefined) return undefined;
  const { at, error, cause } = failure;
  return { at, text: error === undefined ? `it ended: ${cause}` : textOf(error) };
}

function textOf({ name, code, message }: { name: string; code?: string; message: string }): string {
  return `${code ?? name}: ${message}`;
}

/** The states that a state is in. */
function outerOf(name: string): string[] {
  if (name.startsWith('is:')) return [];
  const keys = name.split('.');
  return keys.slice(1).map((_, n) => keys.slice(0, n + 1).join('.'));
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.max(0, sorted[Math.floor(sorted.length / 2)] ?? 0);
}

function agentOf(address: string): string {
  const end = address.indexOf('/');
  return end === -1 ? address : address.slice(0, end);
}
