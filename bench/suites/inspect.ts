import type { RuntimeOptions } from 'holdfast';
import { startFleet, type Fleet } from '../lib/fleet.ts';
import { openViewer } from './inspect-viewer.ts';
import { asking, sending } from '../lib/load.ts';
import { rowNamed, type Results, type Unit } from '../lib/results.ts';
import { measure, ratio, type Row, type Variant } from '../lib/rounds.ts';

const OFF = 'nobody inspects';
const ADAPTER = 'an adapter';
const PAGE = 'the page, nobody looks';
const OPEN = 'the page, open in a browser';

/** What it costs the agents that somebody looks on; the actors are machines, which have the most to show. */
export async function inspect(results: Results, rounds: number): Promise<void> {
  const silent = { logger: { debug() {}, info() {}, warn: console.warn, error: console.error } };
  let heard = 0;
  const options: Readonly<Record<string, RuntimeOptions>> = {
    [OFF]: {},
    [ADAPTER]: { inspect: { adapter: { send: () => void (heard += 1) } } },
    [PAGE]: { inspect: 'local', ...silent },
    [OPEN]: { inspect: 'local', ...silent },
  };
  const fleets: Record<string, Fleet> = {};
  for (const [name, option] of Object.entries(options)) fleets[name] = await startFleet(1, option);
  const viewer = await openViewer(String(fleets[OPEN]?.runtime.inspector?.link()));
  const of = (variant: (fleet: Fleet) => Variant): Record<string, Variant> =>
    Object.fromEntries(Object.entries(fleets).map(([name, fleet]) => [name, variant(fleet)]));

  const oneWay = await measure(
    of((fleet) => () => sending(fleet.sender('machine'))),
    rounds,
  );
  const before = await viewer.frames();
  const asks = await measure(
    of((fleet) => () => asking(fleet.ask('machine'), { inFlight: 32 })),
    rounds,
  );
  const paced = await measure(
    of((fleet) => () => pacing(fleet)),
    rounds,
  );
  const frames = await viewer.frames();
  const table = (title: string, unit: Unit, rows: readonly Row[]): void =>
    results.table({ suite: 'inspect', title: `${title}, median of ${rounds}`, unit, base: OFF, rows });
  table('one way to 32 machines on one thread, up to 200,000 events or 0.5 s a run', 'events/s', oneWay);
  table('ask, 32 in flight, 32 machines on one thread', 'asks/s', asks);
  table('100,000 events/s offered to 32 machines on one thread, 0.5 s a run', 'events/s', paced);
  for (const [rows, what] of [
    [oneWay, 'as many events as it takes'],
    [asks, 'asks'],
    [paced, '100,000 events/s'],
  ] as const)
    for (const name of [ADAPTER, PAGE, OPEN])
      results.note(
        'inspect',
        `${what}, ${name}, to nobody`,
        ratio(rowNamed(rows, name), rowNamed(rows, OFF)),
      );
  results.gate(
    'inspect',
    '100,000 events/s with the page open, to nobody',
    ratio(rowNamed(paced, OPEN), rowNamed(paced, OFF)),
    { atLeast: 0.9 },
  );
  results.note('inspect', `frames of the page meanwhile (${viewer.what}), median in ms`, frames.median);
  results.note('inspect', 'frames of the page, 95 % in ms', frames.p95);
  results.note('inspect', 'frames of the page with as many events as it takes, 95 % in ms', before.p95);
  const { passed = 0, sampled = 0 } = fleets[OPEN]?.runtime.status().inspection ?? {};
  results.note('inspect', 'the share of events that was shown', passed / (passed + sampled));
  if (heard === 0) throw new Error('the adapter heard nothing');
  await viewer.close();
  await Promise.all(Object.values(fleets).map((fleet) => fleet.stop()));
}

/** Sends 1,000 events each 10 ms, and gives the rate at which they were handled. */
async function pacing(fleet: Fleet): Promise<number> {
  const sender = fleet.sender('machine');
  const before = await sender.total();
  const started = performance.now();
  let sent = 0;
  for (let step = 1; step <= 50; step += 1) {
    for (let n = 0; n < 1000; n += 1, sent += 1) void sender.send(sent % 32, sent, false);
    const due = started + step * 10;
    while (performance.now() < due) await new Promise((resolve) => setImmediate(resolve));
  }
  const arrived = (await sender.total()) - before;
  const seconds = (performance.now() - started) / 1000;
  if (arrived !== sent) throw new Error(`${arrived} of ${sent} events arrived`);
  return arrived / seconds;
}
