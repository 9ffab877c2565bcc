import { OrderedMap } from './ordered-map.ts';
import type { Placeable } from './placement.ts';
import { decideRestart, type Failure, type FailureHistory, type RestartPolicy } from './restart-policy.ts';
import { SortedMap } from './sorted-map.ts';

/** An instance of a group. */
export interface Member extends Placeable {
  /** It is ended with the others, and not started again. */
  readonly temporary: boolean;
}

type Addresses = SortedMap<string, true>;

/** What is under way in a group: some are ended, some wait for their start, one after the other. */
export interface Round {
  /** They are being ended in their threads. */
  readonly ending: Addresses;
  /** The backoff is not over. */
  readonly waiting: boolean;
  /** They are down and will be started, by their order in the group. */
  readonly queue: SortedMap<number, string>;
  /** It was placed; the next one is when it runs. */
  readonly starting: string | undefined;
}

/** The instances of one agent that live and fail together. */
export interface Group {
  /** In the order in which they first ran. */
  readonly members: OrderedMap<Member>;
  readonly quarantined: Addresses;
  /** Of all members: their intensity is that of the group. */
  readonly history: FailureHistory | undefined;
  readonly round: Round | undefined;
}

/** What a group does to the world. */
export type GroupEffect =
  /** End the incarnation that runs; tell when it is down. */
  | { readonly kind: 'pause'; readonly address: string }
  /** End it for good, with the others. */
  | { readonly kind: 'stop'; readonly address: string }
  /** By its policy it stays ended. */
  | { readonly kind: 'end'; readonly address: string }
  /** It, or `because` of its group, failed too often. The latter is to be ended, too; tell when it is down. */
  | { readonly kind: 'give-up'; readonly member: Member; readonly because?: string }
  /** The backoff begins, from now on. */
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** Its next incarnation begins: place it. */
  | { readonly kind: 'begin'; readonly member: Member };

export interface GroupPlan {
  readonly group: Group;
  readonly effects: readonly GroupEffect[];
}

export const EMPTY_GROUP: Group = {
  members: new OrderedMap(),
  quarantined: new SortedMap(),
  history: undefined,
  round: undefined,
};

const IDLE: Round = { ending: new SortedMap(), waiting: false, queue: new SortedMap(), starting: undefined };

/** A member runs: it joins if it is new, and whoever waited for it is next. */
export function planRunning(group: Group, member: Member): GroupPlan {
  const members = joined(group, member);
  const { round } = group;
  if (round?.starting !== member.address) return { group: { ...group, members }, effects: [] };
  return advance({ ...group, members, round: { ...round, starting: undefined } });
}

function joined({ members }: Group, member: Member): OrderedMap<Member> {
  return members.has(member.address) ? members : members.with(member.address, member);
}

/** A member ended without having been told to. */
export function planFailure(
  group: Group,
  member: Member,
  policy: RestartPolicy,
  failure: Failure,
): GroupPlan {
  const { address } = member;
  const all: Group = { ...group, members: joined(group, member) };
  const decision = decideRestart(policy, group.history, failure);
  if (decision.kind === 'end') return { group: all, effects: [{ kind: 'end', address }] };
  // Its thread may have died with the one that failed first: that counts once.
  if (all.round?.ending.has(address) === true) return planDown(all, address);
  const affected = affectedBy(policy.strategy, all, address);
  return decision.kind === 'restart'
    ? planRestart(all, address, affected, decision)
    : planQuarantine(all, member, affected);
}

/** Members that live and fail with `address`, itself too, in start order. */
function affectedBy(strategy: RestartPolicy['strategy'], group: Group, address: string): readonly Member[] {
  const { members, quarantined } = group;
  const fated = strategy === 'all-for-one' ? members.values() : members.from(address);
  return fated.filter((member) => member.address === address || !quarantined.has(member.address));
}

function planRestart(
  group: Group,
  failed: string,
  affected: readonly Member[],
  { delayMs, history }: { readonly delayMs: number; readonly history: FailureHistory },
): GroupPlan {
  const round = group.round ?? IDLE;
  const up = affected.filter((member) => isUp(group, member, failed));
  const again = affected.filter(({ temporary, address }) => !temporary || address === failed);
  const isStarted = again.some(({ address }) => address === round.starting);
  const restarted = up.filter(({ temporary }) => !temporary);
  const next: Round = {
    ending: withAll(round.ending, restarted),
    waiting: true,
    queue: queued(group, round.queue, again),
    starting: isStarted ? undefined : round.starting,
  };
  const effects = up
    .toReversed()
    .map(({ address, temporary }): GroupEffect => ({ kind: temporary ? 'stop' : 'pause', address }));
  return { group: { ...group, history, round: next }, effects: [...effects, { kind: 'wait', delayMs }] };
}

/** A group does not live on without one of its members: those that would be restarted with it stay down with it. */
function planQuarantine(group: Group, member: Member, affected: readonly Member[]): GroupPlan {
  const { address: because } = member;
  const round = group.round ?? IDLE;
  const others = affected.filter(({ address }) => address !== because);
  const staying = others.filter(({ temporary }) => !temporary);
  const up = staying.filter((other) => isUp(group, other, because));
  const down = [member, ...staying];
  const isLeft = down.some(({ address }) => address === round.starting);
  const next: Round = {
    ending: withAll(round.ending, up),
    waiting: round.waiting,
    queue: down.reduce((queue, { address }) => unqueued(group, queue, address), round.queue),
    starting: isLeft ? undefined : round.starting,
  };
  const effects = others
    .toReversed()
    .map((other): GroupEffect =>
      other.temporary
        ? { kind: 'stop', address: other.address }
        : { kind: 'give-up', member: other, because },
    );
  const quarantined = withAll(group.quarantined, down);
  const settled = advance({ ...group, quarantined, history: undefined, round: next });
  return { ...settled, effects: [{ kind: 'give-up', member }, ...effects, ...settled.effects] };
}

/** Whether it runs, or is about to. */
function isUp(
  { members, round, quarantined }: Group,
  { address }: Pick<Member, 'address'>,
  failed: string,
): boolean {
  if (address === failed || quarantined.has(address)) return false;
  if (round === undefined) return true;
  return !round.queue.has(members.orderOf(address) ?? -1) && !round.ending.has(address);
}

/** It is down. */
export function planDown(group: Group, address: string): GroupPlan {
  const { round } = group;
  if (round === undefined) return { group, effects: [] };
  return advance({ ...group, round: { ...round, ending: round.ending.without(address) } });
}

/** The backoff is over. */
export function planDue(group: Group): GroupPlan {
  const { round } = group;
  if (round === undefined) return { group, effects: [] };
  return advance({ ...group, round: { ...round, waiting: false } });
}

/** Those who were quarantined together begin anew together. */
export function planResume(group: Group, address: string): GroupPlan {
  if (!group.quarantined.has(address)) return { group, effects: [] };
  const round = group.round ?? IDLE;
  const again = group.quarantined.keys().map((one) => ({ address: one }));
  const queue = queued(group, round.queue, again);
  return advance({
    ...group,
    quarantined: EMPTY_GROUP.quarantined,
    history: undefined,
    round: { ...round, queue },
  });
}

/** It is gone for good. */
export function planLeave(group: Group, gone: string): GroupPlan {
  const { members, quarantined, round } = group;
  return advance({
    ...group,
    members: members.without(gone),
    quarantined: quarantined.without(gone),
    round: round && {
      ...round,
      ending: round.ending.without(gone),
      queue: unqueued(group, round.queue, gone),
      starting: round.starting === gone ? undefined : round.starting,
    },
  });
}

/** Starts the next one as soon as all are down and the one before it runs. */
function advance(group: Group): GroupPlan {
  const { round, members } = group;
  if (round === undefined) return { group, effects: [] };
  const { ending, waiting, queue, starting } = round;
  if (ending.size > 0 || waiting || starting !== undefined) return { group, effects: [] };
  const [order, address] = queue.first ?? [];
  const member = address === undefined ? undefined : members.get(address);
  if (order === undefined || member === undefined)
    return { group: { ...group, round: undefined }, effects: [] };
  return {
    group: { ...group, round: { ...round, queue: queue.without(order), starting: member.address } },
    effects: [{ kind: 'begin', member }],
  };
}

function withAll(addresses: Addresses, more: readonly Pick<Member, 'address'>[]): Addresses {
  return more.reduce((all, { address }) => all.with(address, true), addresses);
}

/** Members that are to be started are so in their order in the group. */
function queued(
  { members }: Group,
  queue: Round['queue'],
  more: readonly Pick<Member, 'address'>[],
): Round['queue'] {
  return more.reduce((all, { address }) => {
    const order = members.orderOf(address);
    return order === undefined ? all : all.with(order, address);
  }, queue);
}

function unqueued({ members }: Group, queue: Round['queue'], address: string): Round['queue'] {
  const order = members.orderOf(address);
  return order === undefined ? queue : queue.without(order);
}
