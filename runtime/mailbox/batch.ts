import { unpackEvent } from './run.ts';
import type { Tag } from './tag.ts';
import type { Trace, TraceHeaders } from './trace.ts';
import { NO_TERMS, type Terms } from './terms.ts';

/**
 * The payload of one call to a thread: runs of envelopes, each run of one instance, as rows of five in one flat array,
 * because structured clone pays for objects.
 *
 * - `slot, 1, tag, terms, event`: one envelope; `tag` is 0 unless it is an ask.
 * - `slot, length, asks, keys, events`: several; `asks` is null, or the tags and terms of a run of asks. Without
 *   `keys` the events are as they were sent, with them column by column (`packRun`).
 * - `slot, 0, headers, sentAt, told`: no envelope; the one that follows is traced ({@link Trace}), or each of the run
 *   that follows where nothing is told of them.
 * - `slot, -1, from, 0, null`: no envelope; an agent has sent the one that follows by way of the host.
 */
export type Batch = unknown[];

/** The tags of a run of asks, and their terms: an array, or the one number that all of them share. */
export type Asks = readonly [tags: readonly Tag[], terms: readonly Terms[] | Terms];

/** A run of a batch, as its reader sees it. */
export interface Run {
  readonly slot: number;
  readonly length: number;
  readonly asks: Asks | null;
  readonly keys: readonly string[] | null;
  readonly events: readonly unknown[];
}

const STRIDE = 5;

export function runCount(batch: Batch): number {
  return batch.length / STRIDE;
}

/** The trace of the envelope that follows row `index`, if that row holds one. */
export function traceAt(batch: Batch, index: number): Trace | undefined {
  const at = index * STRIDE;
  if (batch[at + 1] !== 0) return undefined;
  return {
    headers: batch[at + 2] as TraceHeaders | null,
    sentAt: batch[at + 3] as number,
    told: batch[at + 4] === true,
  };
}

/** The address of the agent that sent the envelope that follows row `index`, if that row holds one. */
export function senderAt(batch: Batch, index: number): string | undefined {
  const at = index * STRIDE;
  return batch[at + 1] === -1 ? (batch[at + 2] as string) : undefined;
}

export function runAt(batch: Batch, index: number): Run {
  const at = index * STRIDE;
  const [slot, length] = [batch[at] as number, batch[at + 1] as number];
  if (length === 1) {
    const [tag, terms] = [batch[at + 2] as Tag, batch[at + 3] as Terms];
    return { slot, length, asks: tag > 0 ? [[tag], terms] : null, keys: null, events: [batch[at + 4]] };
  }
  return {
    slot,
    length,
    asks: batch[at + 2] as Asks | null,
    keys: batch[at + 3] as readonly string[] | null,
    events: batch[at + 4] as readonly unknown[],
  };
}

/** Event number `i` of a run. An event of a packed run is built anew. */
export function eventOf(run: Run, i: number): unknown {
  return run.keys === null ? run.events[i] : unpackEvent(run.keys, run.events, i);
}

export function termsAt(asks: Asks, i: number): Terms {
  const [, terms] = asks;
  return typeof terms === 'number' ? terms : (terms[i] ?? NO_TERMS);
}
