import type { Placeable } from './placement.ts';
import { decideRestart, type Failure, type FailureHistory, type RestartPolicy } from './restart-policy.ts';

/** An instance of a group. */
export interface Member extends Placeable {
  /** It is ended with the others, and not started again. */
  readonly temporary: boolean;
}

/** What is under way in a group: some are ended, some wait for their start, one after the other. */
export interface Round {
  /** They are being ended in their threads. */
  readonly ending: readonly string[];
  /** The backoff is not over. */
  readonly waiting: boolean;
  /** They are down and will be started, in this order. */
  readonly queue: readonly string[];
  /** It was placed; the next one is when it runs. */
  readonly starting: string | undefined;
}

/** The instances of one agent that live and fail together. */
export interface Group {
  /** In the order in which they first ran. */
  readonly members: readonly Member[];
  readonly quarantined: readonly string[];
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

export const EMPTY_GROUP: Group = { members: [], quarantined: [], history: undefined, round: undefined };

const IDLE: Round = { ending: [], waiting: false, queue: [], starting: undefined };

/** A member runs: it joins if it is new, and whoever waited for it is next. */
export function planRunning(group: Group, member: Member): GroupPlan {
  const known = group.members.some(({ address }) => address === member.address);
  const members = known ? group.members : [...group.members, member];
  const { round } = group;
  if (round?.starting !== member.address) return { group: { ...group, members }, effects: [] };
  return advance({ ...group, members, round: { ...round, starting: undefined } });
}

/** A member ended without having been told to. */
export function planFailure(
  group: Group,
  member: Member,
  policy: RestartPolicy,
  failure: Failure,
): GroupPlan {
  const { address } = member;
  const known = group.members.some((other) => other.address === address);
  const all: Group = known ? group : { ...group, members: [...group.members, member] };
  const decision = decideRestart(policy, group.history, failure);
  if (decision.kind === 'end') return { group: all, effects: [{ kind: 'end', address }] };
  // Its thread may have died with the one that failed first: that counts once.
  if (all.round?.ending.includes(address) === true) return planDown(all, address);
  const affected = affectedBy(policy.strategy, all, address);
  return decision.kind === 'restart'
    ? planRestart(all, address, affected, decision)
    : planQuarantine(all, member, affected);
}

/** Members that live and fail with `address`, itself too, in start order. */
function affectedBy(strategy: RestartPolicy['strategy'], group: Group, address: string): readonly Member[] {
  const { members, quarantined } = group;
  const from = members.findIndex((member) => member.address === address);
  return members
    .slice(strategy === 'all-for-one' ? 0 : from)
    .filter((member) => member.address === address || !quarantined.includes(member.address));
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
  const wanted = new Set([...round.queue, ...again.map(({ address }) => address)]);
  const restarted = up.filter(({ temporary }) => !temporary).map(({ address }) => address);
  const next: Round = {
    ending: [...round.ending, ...restarted],
    waiting: true,
    queue: inStartOrder(group, wanted),
    starting: wanted.has(round.starting ?? '') ? undefined : round.starting,
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
  const up = others.filter((other) => isUp(group, other, because)).map(({ address }) => address);
  const staying = others.filter(({ temporary }) => !temporary);
  const down = new Set([because, ...staying.map(({ address }) => address)]);
  const next: Round = {
    ending: [...round.ending, ...up.filter((address) => down.has(address))],
    waiting: round.waiting,
    queue: round.queue.filter((address) => !down.has(address)),
    starting: down.has(round.starting ?? '') ? undefined : round.starting,
  };
  const effects = others
    .toReversed()
    .map((other): GroupEffect =>
      other.temporary
        ? { kind: 'stop', address: other.address }
        : { kind: 'give-up', member: other, because },
    );
  const quarantined = [...group.quarantined, ...down];
  const settled = advance({ ...group, quarantined, history: undefined, round: next });
  return { ...settled, effects: [{ kind: 'give-up', member }, ...effects, ...settled.effects] };
}

/** Whether it runs, or is about to. */
function isUp({ round, quarantined }: Group, { address }: Member, failed: string): boolean {
  if (address === failed || quarantined.includes(address)) return false;
  return round === undefined || !(round.queue.includes(address) || round.ending.includes(address));
}

/** It is down. */
export function planDown(group: Group, address: string): GroupPlan {
  const { round } = group;
  if (round === undefined) return { group, effects: [] };
  return advance({ ...group, round: { ...round, ending: round.ending.filter((one) => one !== address) } });
}

/** The backoff is over. */
export function planDue(group: Group): GroupPlan {
  const { round } = group;
  if (round === undefined) return { group, effects: [] };
  return advance({ ...group, round: { ...round, waiting: false } });
}

/** Those who were quarantined together begin anew together. */
export function planResume(group: Group, address: string): GroupPlan {
  if (!group.quarantined.includes(address)) return { group, effects: [] };
  const round = group.round ?? IDLE;
  const queue = inStartOrder(group, new Set([...round.queue, ...group.quarantined]));
  return advance({ ...group, quarantined: [], history: undefined, round: { ...round, queue } });
}

/** It is gone for good. */
export function planLeave(group: Group, gone: string): GroupPlan {
  const others = (addresses: readonly string[]): readonly string[] =>
    addresses.filter((address) => address !== gone);
  const { members, quarantined, round } = group;
  return advance({
    ...group,
    members: members.filter(({ address }) => address !== gone),
    quarantined: others(quarantined),
    round: round && {
      ...round,
      ending: others(round.ending),
      queue: others(round.queue),
      starting: round.starting === gone ? undefined : round.starting,
    },
  });
}

/** Starts the next one as soon as all are down and the one before it runs. */
function advance(group: Group): GroupPlan {
  const { round, members } = group;
  if (round === undefined) return { group, effects: [] };
  const { ending, waiting, queue, starting } = round;
  if (ending.length > 0 || waiting || starting !== undefined) return { group, effects: [] };
  const member = members.find(({ address }) => address === queue[0]);
  if (member === undefined) return { group: { ...group, round: undefined }, effects: [] };
  return {
    group: { ...group, round: { ...round, queue: queue.slice(1), starting: member.address } },
    effects: [{ kind: 'begin', member }],
  };
}

function inStartOrder({ members }: Group, wanted: ReadonlySet<string>): readonly string[] {
  return members.map(({ address }) => address).filter((address) => wanted.has(address));
}
