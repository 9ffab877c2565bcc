/** The instances of one agent, and the pool they run in. Names of pools have four letters: the system cuts longer ones. */
export interface Team {
  readonly agent: string;
  readonly threadId: string;
  readonly maxThreads: number;
  readonly instances: number;
  /** A restart goes on from the last state. */
  readonly keepsState?: true;
  /** Its threads have so little memory that they can be filled. */
  readonly small?: true;
  /** Nothing is ever done to it. */
  readonly spared?: true;
}

/** Who takes part. Agents that share a `threadId` share its threads. */
export const TEAMS: readonly Team[] = [
  { agent: 'free', threadId: 'free', maxThreads: 3, instances: 12 },
  { agent: 'keep', threadId: 'keep', maxThreads: 2, instances: 8, keepsState: true },
  { agent: 'tiny', threadId: 'tiny', maxThreads: 2, instances: 6, small: true },
  { agent: 'all', threadId: 'team', maxThreads: 4, instances: 4 },
  { agent: 'rest', threadId: 'team', maxThreads: 4, instances: 4 },
  { agent: 'once', threadId: 'once', maxThreads: 3, instances: 3 },
  { agent: 'calm', threadId: 'calm', maxThreads: 1, instances: 3, spared: true },
];

export interface Member {
  readonly team: Team;
  readonly id: string;
  readonly address: string;
}

export const MEMBERS: readonly Member[] = TEAMS.flatMap((team) =>
  Array.from({ length: team.instances }, (_, i) => ({
    team,
    id: String(i),
    address: `${team.agent}/${i}`,
  })),
);

const indices: ReadonlyMap<string, number> = new Map(MEMBERS.map(({ address }, i) => [address, i]));

/** Where in `MEMBERS` it is; -1 when it is nowhere. */
export function indexOf(address: string): number {
  return indices.get(address) ?? -1;
}

/** Each pool once. */
export const POOLS: readonly Pick<Team, 'threadId' | 'maxThreads'>[] = TEAMS.filter(
  ({ threadId }, i) => TEAMS.findIndex((team) => team.threadId === threadId) === i,
);

/** What is done to threads and instances from within. */
export const FAULTS = ['exit', 'hang', 'hang.later', 'fill', 'reject', 'throw.later', 'fail'] as const;
export type FaultKind = (typeof FAULTS)[number];
