import { el } from './dom.ts';
import { duration, megabytes, percent, short, timeOfDay } from './figures.ts';
import { sparkLine } from './spark-line.ts';
import { shownMs, type Sample, type ThreadHistory } from './thread-history.ts';
import type { DeadLetter, Secret, Status, Thread } from './told.ts';

type Cell = string | Node;

/** Rows that are drawn; a runtime may have thousands of secrets. */
const mostRows = 200;

function table(
  caption: string,
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
): HTMLElement {
  if (rows.length === 0) return el('p', { class: 'empty' }, `No ${caption.toLowerCase()}.`);
  const more = rows.length - mostRows;
  const body = rows
    .slice(0, mostRows)
    .map((cells) => el('tr', {}, ...cells.map((cell) => el('td', {}, cell))));
  return el(
    'table',
    {},
    el('caption', {}, more > 0 ? `${caption}; ${more} more are not shown` : caption),
    el('thead', {}, el('tr', {}, ...headings.map((heading) => el('th', { scope: 'col' }, heading)))),
    el('tbody', {}, ...body),
  );
}

/** The last cell, where something may be done. */
function todo(cell: Cell | undefined): Cell[] {
  return cell === undefined ? [] : [cell];
}

export function threadsTable(
  { pools }: Status,
  history: ThreadHistory,
  now: number,
  deeds?: (threadId: string, thread: Thread) => readonly (Node | string)[],
): HTMLElement {
  const rows = pools.flatMap((pool) =>
    pool.threads.map((thread): Cell[] => {
      const { name, state, instances, slow } = thread;
      const cells: Cell[] = [
        pool.threadId,
        name,
        el('span', {}, badge(state, state === 'ready' ? '' : 'warn'), ...runsNow(slow)),
        String(instances),
        ...linesOf(history.of(name), now),
      ];
      return cells.concat(todo(deeds && el('span', {}, ...deeds(pool.threadId, thread))));
    }),
  );
  const headings = ['Pool', 'Thread', 'State', 'Instances', 'Event loop, 5 min', 'Heap', 'Turns/s'];
  return table('Threads', deeds === undefined ? headings : [...headings, 'To do'], rows);
}

/** What has kept the thread for long. */
function runsNow(slow: Thread['slow']): (Node | string)[] {
  if (slow === undefined) return [];
  const { address = 'work outside of turns', ms } = slow;
  return [' ', badge(`in ${address} for ${duration(ms)}`, 'bad')];
}

/** Event loop, heap and turns, each as a line with what it is now. */
function linesOf(samples: readonly Sample[], now: number): Cell[] {
  const last = samples.at(-1);
  const cell = (
    what: string,
    value: (sample: Sample) => number | undefined,
    [least, text]: readonly [number, (value: number) => string],
  ): Cell => {
    const current = last && value(last);
    if (current === undefined) return '';
    const most = samples.reduce((most, sample) => Math.max(most, value(sample) ?? 0), 0);
    const label = `${what}: now ${text(current)}, at most ${text(most)} in 5 min`;
    const points = samples.map((sample) => [sample.at, value(sample)] as const);
    const line = sparkLine(points, { until: now, ms: shownMs, least, label });
    return el('span', { class: 'sparked' }, line, ` ${text(current)}`);
  };
  return [
    cell('event loop', ({ busy }) => busy, [1, percent]),
    cell('heap', ({ heap }) => heap, [1, megabytes]),
    cell('turns a second', ({ turns }) => turns, [10, short]),
  ];
}

export function lettersTable(
  letters: readonly DeadLetter[],
  deed?: (letter: DeadLetter) => Node,
): HTMLElement {
  const rows = letters.toReversed().map((letter): Cell[] => {
    const { at, address, reason, cause, event, replays } = letter;
    const type = (event as { type?: unknown } | undefined)?.type;
    const cells: Cell[] = [
      timeOfDay(at),
      address,
      badge(cause === undefined ? reason : `${reason}: ${cause}`, 'bad'),
      el('code', { title: JSON.stringify(event, null, 1) ?? '' }, typeof type === 'string' ? type : '?'),
      String(replays),
    ];
    return cells.concat(todo(deed?.(letter)));
  });
  const headings = ['Time', 'Address', 'Reason', 'Event', 'Replays'];
  return table('Dead letters', deed === undefined ? headings : [...headings, 'Again'], rows);
}

export function secretsTable(
  { secrets, secretProviders }: Status,
  deed?: (secret: Secret) => Node,
): HTMLElement {
  const breakers = new Map(secretProviders.map(({ alias, breaker }) => [alias, breaker]));
  const rows = secrets.map((secret): Cell[] => {
    const {
      provider,
      id,
      stage,
      versionId = '',
      state,
      ageMs,
      nextRefreshInMs,
      holders,
      hits,
      misses,
    } = secret;
    const breaker = breakers.get(provider) ?? 'closed';
    const cells: Cell[] = [
      el('span', {}, provider, ...(breaker === 'closed' ? [] : [' ', badge(`breaker ${breaker}`, 'bad')])),
      id,
      stage,
      el('code', { title: versionId }, versionId.slice(0, 12)),
      badge(state, stateLevel(state)),
      ageMs === undefined ? '' : duration(ageMs),
      nextRefreshInMs === undefined ? '' : duration(nextRefreshInMs),
      String(holders),
      `${short(hits)} / ${short(misses)}`,
    ];
    return cells.concat(todo(deed?.(secret)));
  });
  const headings = [
    'Provider',
    'Secret',
    'Stage',
    'Version',
    'State',
    'Age',
    'Next refresh',
    'Holders',
    'Hits / misses',
  ];
  return table('Secrets', deed === undefined ? headings : [...headings, 'To do'], rows);
}

function stateLevel(state: string): string {
  if (state === 'fresh') return 'good';
  return state === 'stale' || state === 'failed' ? 'bad' : '';
}

export function badge(text: string, level: string): HTMLElement {
  return el('span', { class: `badge ${level}`.trim() }, text);
}
