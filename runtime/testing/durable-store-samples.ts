import assert from 'node:assert/strict';
import type {
  CommitGroup,
  CommitResult,
  DurableRecord,
  DurableStore,
  KeptId,
  KeptLetter,
  MailboxRow,
  StoredRecord,
  TurnCommit,
} from '../store/durable-store.ts';

export const one = 'agent/one';
export const two = 'agent/two';
/** The time of a group, unless a case says otherwise. */
export const AT = 1_700_000_100_000;

export function record(change: Partial<DurableRecord> = {}): DurableRecord {
  return {
    address: one,
    incarnation: 1,
    seq: 1,
    state: '{"value":"on","context":{"text":"ü\\u0000 \u{1F512}"}}',
    meta: '{"timers":[]}',
    wakes: false,
    quarantined: false,
    ...change,
  };
}

export function row(n: number, change: Partial<MailboxRow> = {}): MailboxRow {
  return { n, to: one, event: `{"type":"e${n}"}`, dueAt: 0, attempts: 0, ...change };
}

export function keptId(change: Partial<KeptId> = {}): KeptId {
  return { address: one, caller: 'host', id: 'a', hash: 'h', outcome: 'open', until: AT + 1000, ...change };
}

export function letter(id: string, change: Partial<KeptLetter> = {}): KeptLetter {
  return { id, address: one, reason: 'crashed', event: '{"type":"e"}', meta: '{}', at: AT, ...change };
}

export function turn(change: Partial<TurnCommit> = {}): TurnCommit {
  return { address: one, after: undefined, ...change };
}

export function group(id: string, change: Partial<CommitGroup> = {}): CommitGroup {
  return { id, at: AT, turns: [], ...change };
}

/** Writes first records of addresses in one group. */
export async function begin(
  store: DurableStore,
  id: string,
  ...records: readonly DurableRecord[]
): Promise<void> {
  const turns = records.map((of) => turn({ address: of.address, record: of }));
  assert.deepEqual(await store.commit(group(id, { turns })), written);
}

/** The result of a group of which everything was written. */
export const written: CommitResult = { fenced: [], unknown: [] };

export function stored(of: DurableRecord, commit: string, at = AT): StoredRecord {
  return { ...of, commit, at };
}

/** The numbers of the rows that an address has. */
export async function numbers(store: DurableStore, address = one): Promise<number[]> {
  return (await store.rows(address, -1, 1000)).map(({ n }) => n);
}

/** What tells a letter apart, for all letters, by age. */
export async function lettersOf(store: DurableStore): Promise<string[]> {
  const all = await store.letters(undefined, 1000);
  return all.map(({ id, address, reason }) => `${id} ${address} ${reason}`);
}
