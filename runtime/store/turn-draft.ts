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

/** What turns of one instance have left behind since its last draft left for the store. */
export interface TurnDraft {
  record?: (LastState & Pick<DurableRecord, 'address' | 'seq'> & { readonly meta: RecordMeta }) | undefined;
  /** Whether so much of it is to be written that all others would wait for it. */
  isLarge?: boolean;
  end?: boolean;
  /** The rows whose turns are in it. */
  rows?: KeptRow[];
  /** The numbers of those of them that the store has, or will have. */
  handled?: number[];
  letters?: KeptLetter[];
  sends?: SentEvent[];
  ids?: KeptId[];
  steps?: KeptStep[];
  endedStarts?: string[];
}

/** Whether there is anything in a draft but events of which nothing is stored. */
export function isWritten({ sends = [], ...rest }: TurnDraft): boolean {
  for (const key in rest) if (rest[key as keyof typeof rest] !== undefined) return true;
  return sends.some(({ isPlain }) => !isPlain);
}

/** What the store is to write of a draft; `record`: the one of the draft, as the store is to have it. */
export function commitOf(
  { end, handled, letters, sends, ids, steps, endedStarts }: TurnDraft,
  { address, after, record }: Pick<TurnCommit, 'address' | 'after' | 'record'>,
): TurnCommit {
  return { address, after, record, end, handled, sends: rowsOf(sends), letters, ids, steps, endedStarts };
}

function rowsOf(sends: readonly SentEvent[] | undefined): MailboxRow[] | undefined {
  return sends?.filter(({ isPlain }) => !isPlain).map(({ row }) => row);
}
