import { HoldfastError } from '../base/errors.ts';
import type {
  CommitGroup,
  CommitResult,
  Due,
  DueList,
  DuePlace,
  DurableStore,
  KeptId,
  KeptLetter,
  KeptStep,
  MailboxRow,
  OpenedStore,
  StoredRecord,
  TurnCommit,
} from './durable-store.ts';
import { compareText } from './compare-text.ts';
import type { FaultyCommits } from './faulty-commits.ts';
import { crowdedFrom } from './most-rows.ts';
import { letterIdOf, plainRow, rowLetter } from './row-letter.ts';

/** A row, and since when it is due. */
interface Waiting {
  readonly row: MailboxRow;
  readonly since: number;
}

/** What one memory store leaves to the next. */
export interface DurableMemory {
  readonly storeId: string;
  epoch: number;
  nextRow: number;
  openedAt: number | undefined;
  readonly uncleanEnds: number[];
  readonly records: Map<string, StoredRecord>;
  readonly rows: Map<number, Waiting>;
  readonly steps: Map<string, Map<string, KeptStep>>;
  readonly ids: Map<string, KeptId>;
  readonly letters: Map<string, KeptLetter>;
  /** The last group that ended an instance, and what came of it. */
  last: { readonly id: string; readonly result: CommitResult } | undefined;
}

/** The number of unclean ends that a store remembers. */
const UNCLEAN_ENDS = 10;

export function durableMemory(): DurableMemory {
  return {
    storeId: crypto.randomUUID(),
    epoch: 0,
    nextRow: 1,
    openedAt: undefined,
    uncleanEnds: [],
    records: new Map(),
    rows: new Map(),
    steps: new Map(),
    ids: new Map(),
    letters: new Map(),
    last: undefined,
  };
}

/**
 * Creates a store that keeps what it has in `memory`: the plainest one that follows the rules of {@link DurableStore}. What
 * goes in and out is copied. Another store over the same memory is what the next process would be. `hasRoom`: whether it takes
 * what was not there before. Default true.
 */
export function memoryDurableStore(
  memory: DurableMemory = durableMemory(),
  { hasRoom = true }: { readonly hasRoom?: boolean } = {},
): DurableStore & FaultyCommits {
  let epoch: number | undefined;
  let mostRows = Infinity;
  let fails: 'before' | 'within' | 'after' | undefined;
  const owned = <T>(what: (memory: DurableMemory) => T): Promise<T> =>
    new Promise((resolve) => {
      if (epoch === undefined)
        throw new HoldfastError('STORE_FAILED', 'the store is not open; open it first');
      if (epoch !== memory.epoch)
        throw new HoldfastError('STORE_LOCKED', 'another owner has opened the store; end this one');
      resolve(structuredClone(what(memory)));
    });
  return {
    transactional: true,
    durable: false,
    async open({ now, mostRows: most = Infinity }) {
      epoch = ++memory.epoch;
      mostRows = most;
      if (memory.openedAt !== undefined) memory.uncleanEnds.push(memory.openedAt);
      memory.uncleanEnds.splice(0, memory.uncleanEnds.length - UNCLEAN_ENDS);
      memory.openedAt = now();
      const { storeId, nextRow: firstRow, uncleanEnds } = memory;
      return {
        storeId,
        epoch,
        firstRow,
        uncleanEnds: [...uncleanEnds],
        restored: false,
      } satisfies OpenedStore;
    },
    commit: (group) =>
      owned(() => {
        const at = fails;
        fails = undefined;
        if (at === 'before') throw toFail(at);
        // What is rolled back was there for nobody else.
        const into = at === 'within' ? structuredClone(memory) : memory;
        const result = commit(into, structuredClone(group), { hasRoom, mostRows });
        if (at !== undefined) throw toFail(at);
        return result;
      }),
    load: (address) => owned(({ records }) => records.get(address)),
    rows: (address, after, limit) =>
      owned(() =>
        rowsOf(memory, address)
          .filter(({ n }) => n > after)
          .slice(0, limit),
      ),
    steps: (address) =>
      owned(({ steps }) =>
        [...(steps.get(address)?.values() ?? [])].toSorted(by(({ start, key }) => [start, key])),
      ),
    id: (address, caller, id) => owned(({ ids }) => ids.get(keyOf(address, caller, id))),
    due: (now, limit, after) => owned(() => dueIn(memory, now, limit, after)),
    records: (after, limit) =>
      owned(({ records }) =>
        [...records.values()]
          .filter(({ address }) => after === undefined || compare(address, after) > 0)
          .toSorted(by(({ address }) => [address]))
          .slice(0, limit),
      ),
    letters: (after, limit) =>
      owned(({ letters }) =>
        [...letters.values()]
          .toSorted(by(({ at, id }) => [at, id]))
          .filter(({ at, id }) => after === undefined || compareAll([at, id], [after.at, after.id]) > 0)
          .slice(0, limit),
      ),
    resume: () => owned(() => undefined),
    tidy: (now, lettersBefore) =>
      owned(({ ids, letters }) => {
        for (const [key, { until }] of ids) if (until <= now) ids.delete(key);
        for (const [id, { at }] of letters) if (at < lettersBefore) letters.delete(id);
      }),
    size: () =>
      owned(({ records, rows, letters, ids }) => ({
        records: records.size,
        rows: rows.size,
        letters: letters.size,
        ids: ids.size,
        bytes: 0,
      })),
    async close() {
      if (epoch === memory.epoch) memory.openedAt = undefined;
      epoch = undefined;
    },
    failNextCommit: ({ at }) => void (fails = at),
    async kill() {
      epoch = undefined;
    },
  };
}

function toFail(at: string): HoldfastError {
  return new HoldfastError('STORE_FAILED', `the test had a commit fail ${at} its transaction`);
}

/** What there is room for. */
interface Room {
  readonly hasRoom: boolean;
  readonly mostRows: number;
}

function commit(memory: DurableMemory, group: CommitGroup, { hasRoom, mostRows }: Room): CommitResult {
  if (memory.last?.id === group.id) return memory.last.result;
  const fenced: string[] = [];
  const refused = { addresses: [] as string[], rows: [] as number[] };
  const sends: MailboxRow[] = [];
  const unknown: number[] = [];
  const full: number[] = [];
  const again: MailboxRow[] = [];
  const to = new Set<string>();
  for (const turn of group.turns) {
    const stored = memory.records.get(turn.address)?.commit;
    if (stored === group.id && turn.record !== undefined) {
      // The group has come again: of what this turn sent nothing is written twice, whatever became of it since.
      for (const row of turn.sends ?? []) {
        const reason = memory.letters.get(letterIdOf(row.n))?.reason;
        if (reason !== undefined) {
          (reason === 'mailbox-full' ? full : unknown).push(row.n);
          again.push(row);
        }
        to.add(row.to);
      }
    } else if (stored !== turn.after && stored !== group.id) fenced.push(turn.address);
    else if (stored === undefined && turn.record !== undefined && !hasRoom)
      refused.addresses.push(turn.address);
    else {
      writeTurn(memory, turn, group);
      sends.push(...(turn.sends ?? []));
    }
  }
  for (const kept of group.ids ?? []) memory.ids.set(keyOf(kept.address, kept.caller, kept.id), kept);
  for (const row of again) deleteOpenId(memory, row);
  const rows: MailboxRow[] = [];
  for (const row of group.rows ?? [])
    if (hasRoom || memory.rows.has(row.n) || memory.letters.has(letterIdOf(row.n))) rows.push(row);
    else {
      refused.rows.push(row.n);
      deleteOpenId(memory, row);
    }
  const { removedLetters = [] } = group;
  // A letter goes for the row in its place: it stays when that is not written.
  if (refused.rows.length === 0) for (const id of removedLetters) memory.letters.delete(id);
  const countOf = (address: string): number =>
    memory.rows.size < crowdedFrom(mostRows) ? 0 : rowsOf(memory, address).length;
  /** Returns `false` for a row of which nothing is written. */
  const write = (row: MailboxRow, most: number): boolean => {
    memory.nextRow = Math.max(memory.nextRow, row.n + 1);
    to.add(row.to);
    if (!memory.records.has(row.to)) {
      unknown.push(row.n);
      toLetter(memory, row, 'unknown-address', group.at);
    } else if (!memory.rows.has(row.n)) {
      if (countOf(row.to) >= most) {
        full.push(row.n);
        return false;
      }
      memory.rows.set(row.n, { row: plainRow(row), since: row.dueAt || group.at });
    }
    return true;
  };
  for (const row of sends) if (!write(row, mostRows)) toLetter(memory, row, 'mailbox-full', group.at);
  for (const row of rows)
    if (!write(row, removedLetters.length > 0 ? Infinity : mostRows)) deleteOpenId(memory, row);
  for (const letter of group.letters ?? []) memory.letters.set(letter.id, letter);
  for (const [n, attempts] of group.attempts ?? []) {
    const waiting = memory.rows.get(n);
    if (waiting !== undefined) memory.rows.set(n, { ...waiting, row: { ...waiting.row, attempts } });
  }
  const crowded = [...to].filter((address) => countOf(address) >= crowdedFrom(mostRows));
  const result = {
    fenced,
    unknown,
    ...(full.length > 0 && { full }),
    ...(crowded.length > 0 && { crowded }),
    ...(refused.addresses.length + refused.rows.length > 0 && { refused }),
  };
  if (group.turns.some(({ end }) => end === true)) memory.last = { id: group.id, result };
  return result;
}

function writeTurn(memory: DurableMemory, turn: TurnCommit, { id, at }: CommitGroup): void {
  const { address } = turn;
  for (const n of turn.handled ?? []) if (memory.rows.get(n)?.row.to === address) memory.rows.delete(n);
  for (const kept of turn.ids ?? []) memory.ids.set(keyOf(kept.address, kept.caller, kept.id), kept);
  for (const letter of turn.letters ?? []) memory.letters.set(letter.id, letter);
  if (turn.record !== undefined) {
    const { parts: _, ...record } = turn.record;
    memory.records.set(address, { ...record, commit: id, at });
  }
  const steps = memory.steps.get(address) ?? new Map<string, KeptStep>();
  for (const step of turn.steps ?? []) steps.set(keyOf(step.start, step.key), step);
  for (const [key, { start }] of steps) if (turn.endedStarts?.includes(start)) steps.delete(key);
  memory.steps.set(address, steps);
  if (turn.end !== true) return;
  memory.records.delete(address);
  memory.steps.delete(address);
  for (const row of rowsOf(memory, address)) {
    memory.rows.delete(row.n);
    toLetter(memory, row, 'stopped', at);
  }
  for (const [key, kept] of memory.ids)
    if (kept.address === address && kept.outcome === 'open') memory.ids.delete(key);
}

function toLetter(
  memory: DurableMemory,
  row: MailboxRow,
  reason: 'stopped' | 'unknown-address' | 'mailbox-full',
  at: number,
): void {
  const letter = rowLetter(row, reason, at);
  memory.letters.set(letter.id, letter);
  deleteOpenId(memory, row);
}

function deleteOpenId(memory: DurableMemory, { to, caller, id }: MailboxRow): void {
  if (id === undefined || caller === undefined) return;
  const key = keyOf(to, caller, id);
  if (memory.ids.get(key)?.outcome === 'open') memory.ids.delete(key);
}

function rowsOf({ rows }: DurableMemory, address: string): MailboxRow[] {
  return [...rows.values()]
    .map(({ row }) => row)
    .filter(({ to }) => to === address)
    .toSorted((a, b) => a.n - b.n);
}

function dueIn(memory: DurableMemory, now: number, limit: number, after?: DuePlace): DueList {
  const all: (Due & { readonly isTimed: boolean })[] = [];
  const awake = (address: string): boolean => memory.records.get(address)?.quarantined === false;
  for (const { row, since } of memory.rows.values())
    if (awake(row.to)) all.push({ address: row.to, since, why: 'row', isTimed: row.dueAt > 0 });
  for (const { address, dueAt, wakes, at } of memory.records.values()) {
    if (!awake(address)) continue;
    if (dueAt !== undefined) all.push({ address, since: dueAt, why: 'timer', isTimed: true });
    if (wakes) all.push({ address, since: at, why: 'child', isTimed: false });
  }
  all.sort(by(({ since, address, why }) => [since, address, WHY.indexOf(why)]));
  const due = new Map<string, Due>();
  for (const { isTimed, ...one } of all) {
    const isBehind =
      after === undefined || compareAll([one.since, one.address], [after.since, after.address]) > 0;
    const isDue = one.since <= now || !isTimed;
    if (isDue && isBehind && !due.has(one.address)) due.set(one.address, one);
  }
  return {
    due: [...due.values()].slice(0, limit),
    nextAt: all.find(({ since, isTimed }) => since > now && isTimed)?.since,
  };
}

/** What comes first when an address has more than one thing to do since the same time. */
const WHY = ['row', 'timer', 'child'] as const;

function keyOf(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}

type Sortable = readonly (string | number)[];

function by<T>(keys: (item: T) => Sortable): (a: T, b: T) => number {
  return (a, b) => compareAll(keys(a), keys(b));
}

function compareAll(a: Sortable, b: Sortable): number {
  for (const [i, one] of a.entries()) {
    const order = compare(one, b[i] as string | number);
    if (order !== 0) return order;
  }
  return 0;
}

function compare(a: string | number, b: string | number): number {
  return typeof a === 'number' ? a - (b as number) : compareText(a, b as string);
}
