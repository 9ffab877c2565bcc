import type { Seen } from './cycle.ts';
import type { Leftovers } from './leftovers.ts';
import { POOLS } from './roster.ts';

export interface Soak {
  readonly seed: number;
  readonly ms: number;
  readonly seen: Seen;
  readonly yardstick: Leftovers;
  readonly after: Leftovers;
  /** How fast the spared pool was is judged too. */
  readonly timed: boolean;
  readonly wrong: readonly string[];
}

/** What a soak has come to, a line a matter. */
export function summaryOf({ seed, ms, seen, yardstick, after, timed, wrong }: Soak): string {
  const { account, p99 } = seen;
  const rows: [string, string][] = [
    ['seed', String(seed)],
    ['time', `${(ms / 1000).toFixed(0)} s under load, ${p99.ratios.length} turns without and with faults`],
    ['faults fired', counts(seen.fired)],
    ['ordered', `${counts(seen.ordered)}, moved ${seen.moved}`],
    ['events', `${account.sent} sent, ${account.fromHost} of them by the host`],
    ['', `${account.handled} handled, ${account.letters} letters, ${account.lost} lost with their sender`],
    [
      '',
      `${account.again} again from a state, cut at the end of a turn ${account.cutAtTheEnd}, in sending ${account.cutInSending}`,
    ],
    ['letters', counts(seen.lettersByReason)],
    ['asks, deliveries', counts(seen.outcomes)],
    [
      'instances',
      `${seen.restarts} restarts, ${seen.quarantines} quarantines, ${seen.resumed} resumed, ${seen.stopped} stopped, ${seen.spawned} spawned`,
    ],
    ['states compared', String(seen.states)],
    ['threads', `${seen.startedThreads} started; ended: ${counts(seen.endedThreads)}`],
    ['most at a time', `${peaksOf(seen)} (${seen.looks} looks)`],
    [
      'p99 of the spared',
      `${p99.before.toFixed(2)} ms before, ${p99.during.toFixed(2)} ms during; ratios ${p99.ratios.map((ratio) => ratio.toFixed(2)).join(' ')}; ${seen.answered} asks answered${timed ? '' : '; not judged'}`,
    ],
    ['drain, stop', `${seen.drainMs.toFixed(0)} ms, ${seen.stopMs.toFixed(0)} ms`],
    ['left, quiet runtime', stock(yardstick)],
    ['left, after this', stock(after)],
  ];
  const lines = rows.map(([name, text]) => `  ${name.padEnd(20)} ${text}`);
  const verdict =
    wrong.length === 0
      ? ['  nothing was wrong']
      : [
          '',
          `WRONG (${wrong.length})`,
          ...wrong.map((what) => `  ${what}`),
          `  see it again: npm run soak -- --minutes ${Math.ceil(ms / 6000) / 10} --seed ${seed}`,
        ];
  return ['', ...lines, ...verdict].join('\n');
}

function peaksOf({ peaks }: Seen): string {
  const all = peaks.get('all');
  if (all !== undefined) return `${all} of ${POOLS.reduce((sum, { maxThreads }) => sum + maxThreads, 0)}`;
  return POOLS.map(({ threadId, maxThreads }) => `${threadId} ${peaks.get(threadId)}/${maxThreads}`).join(
    ', ',
  );
}

function counts(record: Readonly<Record<string, number>>): string {
  const all = Object.entries(record).map(([name, count]) => `${name} ${count}`);
  return all.length === 0 ? 'none' : all.join(', ');
}

function stock({ rssMb, heapMb, externalMb, resources, threads, files }: Leftovers): string {
  const mb = `resident ${rssMb.toFixed(1)} MB, heap ${heapMb.toFixed(1)} MB, external ${externalMb.toFixed(1)} MB`;
  return `${mb}, ${threads} threads, ${files} files, ${counts(resources)}`;
}
