import type { DurableRecord, KeptId, KeptLetter, KeptStep, MailboxRow, TurnCommit } from './durable-store.ts';
import type { KeptRow } from './kept-row.ts';
import type { RecordMeta } from './record-meta.ts';
import type { SentEvent } from './sent-event.ts';
import type { StateTexts } from './state-texts.ts';

/** A record without what its ledger itself knows best. */
export type LastState = Omit<DurableRecord, 'address' | 'seq' | 'meta' | 'parts'> & {
  /** The long texts that the state has marks for. */
  readonly texts?: StateTexts | undefined;
};

/** A record that is to be written. */
export interface DraftRecord {
  readonly last: LastState;
  readonly seq: number;
  readonly meta: RecordMeta;
}

/** What turns of one instance have left behind since its last draft left for the store. */
export class TurnDraft {
  record: DraftRecord | undefined;
  /** Whether so much of it is to be written that all others would wait for it. */
  isLarge = false;
  end = false;
  /** The rows whose turns are in it. */
  rows: KeptRow[] | undefined;
  /** The numbers of those of them that the store has, or will have. */
  handled: number[] | undefined;
  letters: KeptLetter[] | undefined;
  sends: SentEvent[] | undefined;
  ids: KeptId[] | undefined;
  steps: KeptStep[] | undefined;
  endedStarts: string[] | undefined;

  /** Whether there is anything in it but events of which nothing is stored. */
  get isWritten(): boolean {
    return (
      this.record !== undefined ||
      this.end ||
      this.rows !== undefined ||
      this.handled !== undefined ||
      this.letters !== undefined ||
      this.ids !== undefined ||
      this.steps !== undefined ||
      this.endedStarts !== undefined ||
      this.sends?.some(({ isPlain }) => !isPlain) === true
    );
  }
}

/** What the store is to write of a draft; `record`: the one of the draft, as the store is to have it. */
export function commitOf(
  { end, handled, letters, sends, ids, steps, endedStarts }: TurnDraft,
  { address, after, record }: Pick<TurnCommit, 'address' | 'after' | 'record'>,
): TurnCommit {
  return {
    address,
    after,
    record,
    end: end || undefined,
    handled,
    sends: rowsOf(sends),
    letters,
    ids,
    steps,
    endedStarts,
  };
}

function rowsOf(sends: readonly SentEvent[] | undefined): MailboxRow[] | undefined {
  return sends?.filter(({ isPlain }) => !isPlain).map(({ row }) => row);
}
