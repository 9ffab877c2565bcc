import { valueText } from './chart-graph.ts';
import { exactly } from './figures.ts';
import type { Entry } from './record.ts';
import type { Snapshot } from './told.ts';

/** A line of the time line. */
export type TimelineRow =
  | {
      readonly kind: 'entry';
      /** The last of them. */
      readonly entry: Entry;
      /** How many like it came one after another; the first of them has this number. */
      readonly times: number;
      readonly first: number;
    }
  /** Nothing happened for so many milliseconds. */
  | { readonly kind: 'pause'; readonly ms: number }
  /** So many older entries are not kept. */
  | { readonly kind: 'dropped'; readonly count: number };

/** A time in which nothing happens is said from this on, in milliseconds. */
const pauseFrom = 10_000;
/** So many alike are one line. */
const foldFrom = 3;

export interface RowOptions {
  readonly dropped: number;
  /** Which entries are shown. */
  readonly filter?: ((entry: Entry) => boolean) | undefined;
  /** First entries of folds that the reader opened. */
  readonly opened: ReadonlySet<number>;
}

/** The lines for these entries, the newest first. */
export function timelineRows(
  entries: readonly Entry[],
  { dropped, filter, opened }: RowOptions,
): TimelineRow[] {
  const shown = filter === undefined ? entries : entries.filter(filter);
  const rows: TimelineRow[] = [];
  if (dropped > 0) rows.push({ kind: 'dropped', count: dropped });
  for (let i = 0; i < shown.length;) {
    const first = shown[i] as Entry;
    let next = i + 1;
    while (next < shown.length && isLike(first, shown[next] as Entry)) next += 1;
    const previous = shown[i - 1];
    if (previous !== undefined && first.at - previous.at >= pauseFrom && filter === undefined)
      rows.push({ kind: 'pause', ms: first.at - previous.at });
    const isFolded = next - i >= foldFrom && !opened.has(first.n);
    for (let n = isFolded ? next - 1 : i; n < next; n += 1)
      rows.push({
        kind: 'entry',
        entry: shown[n] as Entry,
        times: next - i,
        first: first.n,
      });
    i = next;
  }
  return rows.toReversed();
}

function isLike(first: Entry, entry: Entry): boolean {
  return (
    entry.kind === first.kind &&
    entry.kind !== 'began' &&
    entry.type === first.type &&
    entry.actor === first.actor &&
    entry.from === first.from &&
    entry.to === first.to &&
    entry.line?.message === first.line?.message &&
    stateText(entry.before) === stateText(first.kind === 'log' ? first.before : first.after) &&
    stateText(entry.after) === stateText(first.after)
  );
}

/** What is said of a state in one line. */
export function stateText(state: Snapshot | undefined): string {
  if (state === undefined) return '';
  const { status = 'active', value } = state;
  const text = valueText(value);
  return status === 'active' ? text : [text, status].filter(Boolean).join(', ');
}

const plain: Readonly<Record<string, string>> = {
  'xstate.init': 'starts',
  'xstate.stop': 'stops',
  'xstate.promise.resolve': 'resolves',
  'xstate.promise.reject': 'rejects',
};

/** An event as a reader calls it: `done work`, `after 30 s`, `begins`. */
export function eventText({ kind, type }: Pick<Entry, 'kind' | 'type'>): string {
  if (kind === 'began') return 'begins';
  if (kind === 'missed') return 'not shown';
  const after = /^xstate\.after\.(.+?)\./.exec(type)?.[1];
  if (after !== undefined) return `after ${/^\d+$/.test(after) ? exactly(Number(after)) : after}`;
  const outcome = /^xstate\.(done|error|snapshot)\.(?:actor|state)\.(.+)$/.exec(type);
  if (outcome !== null) return `${outcome[1]} ${outcome[2]}`;
  return plain[type] ?? type;
}

/** What an event carries, as JSON in one line. */
export function carriedText(event: Entry['event']): string {
  if (event === undefined) return '';
  // XState says by an id of its own what ended, which is in the type already.
  const { type: _, actorId: __, ...carried } = event as Readonly<Record<string, unknown>>;
  return Object.keys(carried).length === 0 ? '' : JSON.stringify(carried);
}

/** What a line of the log says. */
export function lineText({ line }: Pick<Entry, 'line'>): string {
  if (line === undefined) return '';
  return Object.keys(line.fields).length === 0
    ? line.message
    : `${line.message} ${JSON.stringify(line.fields)}`;
}

const texts = new WeakMap<Entry, string>();

/** Whether all words are in what happened: in its event, its sender or its states. */
export function matches(entry: Entry, words: readonly string[]): boolean {
  // Before its turn is over it may still get a state.
  const known = entry.after === undefined ? undefined : texts.get(entry);
  const { actor, from = '', to = '', event, before, after, traceId = '' } = entry;
  const text =
    known ??
    [
      eventText(entry),
      entry.type,
      actor,
      from,
      to,
      JSON.stringify(event) ?? '',
      lineText(entry),
      traceId,
      stateText(before),
      stateText(after),
      JSON.stringify(after?.error) ?? '',
    ]
      .join('\n')
      .toLowerCase();
  if (known === undefined) texts.set(entry, text);
  return words.every((word) => text.includes(word));
}
