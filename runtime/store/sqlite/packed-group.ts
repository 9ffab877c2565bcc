import type {
  CommitGroup,
  DurableRecord,
  EncodedState,
  KeptId,
  KeptLetter,
  KeptStep,
  MailboxRow,
  StateParts,
  TurnCommit,
} from '../durable-store.ts';

/** A group as it crosses to the store's thread: flat, which structured clone takes several times as fast as objects. */
export type PackedGroup = readonly unknown[];

export function packGroup(group: CommitGroup): PackedGroup {
  const { id, at, turns, rows, letters, removedLetters, ids, attempts } = group;
  const to: unknown[] = [id, at];
  packAll(to, turns, packTurn);
  packAll(to, rows, packRow);
  packAll(to, letters, packLetter);
  packAll(to, removedLetters, packOne);
  packAll(to, ids, packId);
  packAll(to, attempts, packPair);
  return to;
}

export function unpackGroup(packed: PackedGroup): CommitGroup {
  let next = 0;
  // What each place has, `packGroup` says.
  const take = (): never => packed[next++] as never;
  const takeAll = <T>(one: () => T): readonly T[] | undefined => {
    const length: number = take();
    return length === 0 ? undefined : Array.from({ length }, one);
  };
  const takeRow = (): MailboxRow => ({
    n: take(),
    to: take(),
    from: take(),
    event: take(),
    dueAt: take(),
    id: take(),
    caller: take(),
    attempts: take(),
    activate: take(),
  });
  const takeId = (): KeptId => ({
    address: take(),
    caller: take(),
    id: take(),
    hash: take(),
    outcome: take(),
    value: take(),
    until: take(),
  });
  const takeLetter = (): KeptLetter => ({
    id: take(),
    address: take(),
    reason: take(),
    event: take(),
    meta: take(),
    at: take(),
  });
  const takeStep = (): KeptStep => ({ start: take(), key: take(), value: take() });
  const takeText = (): [number, string] => [take(), take()];
  const takeParts = (): StateParts | undefined => {
    const text: string | undefined = take();
    if (text === undefined) return undefined;
    return {
      text,
      isWhole: take(),
      added: takeAll(takeText) ?? [],
      removed: takeAll<number>(take) ?? [],
    };
  };
  const takeRecord = (address: string): DurableRecord | undefined => {
    const incarnation: number | undefined = take();
    if (incarnation === undefined) return undefined;
    return {
      address,
      incarnation,
      seq: take(),
      version: take(),
      meta: take(),
      dueAt: take(),
      wakes: take(),
      quarantined: take(),
      state: take(),
      parts: takeParts(),
    };
  };
  const takeTurn = (): TurnCommit => {
    const address: string = take();
    return {
      address,
      after: take(),
      end: take(),
      record: takeRecord(address),
      handled: takeAll<number>(take),
      sends: takeAll(takeRow),
      ids: takeAll(takeId),
      steps: takeAll(takeStep),
      endedStarts: takeAll<string>(take),
      letters: takeAll(takeLetter),
      texts: takeAll(takeText),
    };
  };
  return {
    id: take(),
    at: take(),
    turns: takeAll(takeTurn) ?? [],
    rows: takeAll(takeRow),
    letters: takeAll(takeLetter),
    removedLetters: takeAll<string>(take),
    ids: takeAll(takeId),
    attempts: takeAll<[number, number]>(() => [take(), take()]),
  };
}

type Pack<T> = (to: unknown[], one: T) => unknown;

function packAll<T>(to: unknown[], all: readonly T[] | undefined, pack: Pack<T>): void {
  to.push(all?.length ?? 0);
  if (all !== undefined) for (const one of all) pack(to, one);
}

const packOne: Pack<unknown> = (to, one) => to.push(one);

const packPair: Pack<readonly [unknown, unknown]> = (to, [one, other]) => to.push(one, other);

const packRow: Pack<MailboxRow> = (to, row) =>
  to.push(
    row.n,
    row.to,
    row.from,
    owned(row.event),
    row.dueAt,
    row.id,
    row.caller,
    row.attempts,
    row.activate,
  );

const packId: Pack<KeptId> = (to, kept) =>
  to.push(kept.address, kept.caller, kept.id, kept.hash, kept.outcome, owned(kept.value), kept.until);

const packLetter: Pack<KeptLetter> = (to, { id, address, reason, event, meta, at }) =>
  to.push(id, address, reason, owned(event), meta, at);

const packStep: Pack<KeptStep> = (to, { start, key, value }) => to.push(start, key, owned(value));

const packTurn: Pack<TurnCommit> = (to, turn) => {
  const { address, after, end, record, handled, sends, ids, steps, endedStarts, letters, texts } = turn;
  to.push(address, after, end, record?.incarnation);
  if (record !== undefined) {
    const { seq, version, meta, dueAt, wakes, quarantined, parts } = record;
    to.push(seq, version, meta, dueAt, wakes, quarantined);
    if (parts === undefined) to.push(owned(record.state), undefined);
    else {
      to.push('', parts.text, parts.isWhole);
      packAll(to, parts.added, packPair);
      packAll(to, parts.removed, packOne);
    }
  }
  packAll(to, handled, packOne);
  packAll(to, sends, packRow);
  packAll(to, ids, packId);
  packAll(to, steps, packStep);
  packAll(to, endedStarts, packOne);
  packAll(to, letters, packLetter);
  packAll(to, texts, packPair);
};

/** Bytes in memory of their own: a view would take all that it is a view of along, and shared memory would be shared. */
function owned<T extends EncodedState | undefined>(value: T): T | Uint8Array {
  if (!(value instanceof Uint8Array)) return value;
  const { buffer, byteLength } = value;
  return byteLength === buffer.byteLength && buffer instanceof ArrayBuffer ? value : new Uint8Array(value);
}
