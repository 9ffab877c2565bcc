// npm run soak -- --minutes 5 [--seed n] [--untimed]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../../bench/lib/rounds.ts';
import { chanceOf } from './chance.ts';
import { runCycle, type Seen } from './cycle.ts';
import { leftBehind, takeStock } from './leftovers.ts';

import { summaryOf } from './summary.ts';

/** Milliseconds of each of the two quiet runtimes, at most: the first warms up, the second is the yardstick. */
const QUIET_MS = 2000;
/** How much slower the pool that is spared may become. */
const MOST = 1.5;
/** With fewer cores it waits for the other threads to have had theirs, and that tells of the machine. */
const CORES = 4;
/** Beyond the time under load, for starts, the end, and the books. */
const MARGIN_MS = 180_000;

process.exit(await main());

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string' },
      // What depends on how busy the machine is, is told and not judged.
      untimed: { type: 'boolean', default: false },
    },
  });
  const ms = Number(values.minutes) * 60_000;
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  if (!(ms > 0) || !Number.isInteger(seed)) {
    console.error('npm run soak -- --minutes n [--seed n] [--untimed]');
    return 2;
  }
  console.log(`soak of ${ms / 1000} s, seed ${seed}, Node ${process.versions.node}`);
  const limit = setTimeout(() => {
    console.error(
      `\nWRONG: the soak did not end by itself within ${(ms + MARGIN_MS) / 1000} s; seed ${seed}`,
    );
    process.exit(1);
  }, ms + MARGIN_MS);
  limit.unref();

  const timed = !values.untimed && availableParallelism() >= CORES;
  const chance = chanceOf(seed);
  const quiet = [];
  for (let i = 0; i < 2; i++)
    quiet.push(await runCycle({ chance: chance.fork(), ms: Math.min(QUIET_MS, ms / 3), faults: false }));
  const yardstick = await takeStock();
  const seen = await runCycle({ chance: chance.fork(), ms, faults: true });
  const after = await takeStock();
  const wrong = [
    ...quiet.flatMap((cycle) => cycle.wrong.map((what) => `while nothing was done to it: ${what}`)),
    ...seen.wrong,
    ...leftBehind(yardstick, after),
    ...unfired(seen, timed),
    ...(timed ? slowed(seen) : []),
  ];
  console.log(summaryOf({ seed, ms, seen, yardstick, after, timed, wrong }));
  return wrong.length === 0 ? 0 : 1;
}

/**
 * A soak in which something did not happen shows nothing of it. A quarantine takes several failures of one instance in a
 * short time, for which a busy machine may be too slow.
 */
function unfired(seen: Seen, timed: boolean): string[] {
  const { fired, ordered, quarantines, resumed, states, endedThreads } = seen;
  const { resume, ...others } = ordered;
  const happened: Readonly<Record<string, number>> = {
    ...fired,
    ...others,
    ...(timed && { resume, resumed, quarantine: quarantines }),
    state: states,
    'end by exit': endedThreads['exit'] ?? 0,
    'end by hang': endedThreads['hang'] ?? 0,
    'end by oom': endedThreads['oom'] ?? 0,
    'end by error': endedThreads['error'] ?? 0,
  };
  return Object.entries(happened).flatMap(([what, count]) => (count > 0 ? [] : [`no ${what} has happened`]));
}

function slowed({ p99 }: Seen): string[] {
  const ratio = median(p99.ratios);
  return ratio < MOST
    ? []
    : [`p99 of the pool that is spared grew ${ratio.toFixed(2)} times, ${MOST} at most`];
}
