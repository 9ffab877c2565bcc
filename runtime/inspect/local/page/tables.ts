import { el } from './dom.ts';
import { duration, megabytes, percent, short, timeOfDay } from './figures.ts';
import type { DeadLetter, Status } from './told.ts';
import { meter } from './tree.ts';

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

export function threadsTable({ pools }: Status): HTMLElement {
  const rows = pools.flatMap((pool) =>
    pool.threads.map(({ name, state, instances, utilization, heapUsed }): Cell[] => [
      pool.threadId,
      name,
      badge(state, state === 'ready' ? '' : 'warn'),
      String(instances),
      utilization === undefined
        ? ''
        : el(
            'span',
            {},
            meter(utilization, `event loop ${percent(utilization)} busy`),
            ` ${percent(utilization)}`,
          ),
      heapUsed === undefined ? '' : megabytes(heapUsed),
    ]),
  );
  return table('Threads', ['Pool', 'Thread', 'State', 'Instances', 'Event loop', 'Heap'], rows);
}

export function lettersTable(
  letters: readonly DeadLetter[],
  mayAct: boolean,
  replay: (id: string) => void,
): HTMLElement {
  const rows = letters.toReversed().map(({ id, at, address, reason, cause, event, replays }): Cell[] => {
    const button = el('button', { type: 'button', class: 'small', disabled: !mayAct }, 'Replay');
    button.setAttribute('aria-label', `Replay the event to ${address}`);
    if (!mayAct) button.title = 'Start the runtime with `allowSend: true` to replay from here.';
    button.addEventListener('click', () => replay(id));
    const type = (event as { type?: unknown } | undefined)?.type;
    return [
      timeOfDay(at),
      address,
      badge(cause === undefined ? reason : `${reason}: ${cause}`, 'bad'),
      el('code', { title: JSON.stringify(event, null, 1) ?? '' }, typeof type === 'string' ? type : '?'),
      String(replays),
      button,
    ];
  });
  return table('Dead letters', ['Time', 'Address', 'Reason', 'Event', 'Replays', 'Again'], rows);
}

export function secretsTable({ secrets, secretProviders }: Status): HTMLElement {
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
    return [
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
  return table('Secrets', headings, rows);
}

function stateLevel(state: string): string {
  if (state === 'fresh') return 'good';
  return state === 'stale' || state === 'failed' ? 'bad' : '';
}

export function badge(text: string, level: string): HTMLElement {
  return el('span', { class: `badge ${level}`.trim() }, text);
}
