import { alone } from '../lib/alone.ts';
import { build } from '../lib/build.ts';
import { rowNamed, type Results, type Unit } from '../lib/results.ts';
import { measure, median, type Sample, type Variant } from '../lib/rounds.ts';
import { startGateway } from './gateway.ts';

const CRASHED = 8000;
const STOPPED = 60_000;
const WAITING = 2000;
const ALIVE = 10_000;
const PROBES = 50;
const AT_A_TIME = 64;

/** What one thing costs where there are many instances, a process each. */
export async function oneOfMany(results: Results, rounds: number): Promise<void> {
  build();
  const table = async (title: string, unit: Unit, row: string, run: Variant): Promise<void> => {
    const rows = await measure({ [row]: run }, rounds, { warmUp: 0 });
    results.table({
      suite: 'one-of-many',
      title: `${title}, median of ${rounds}`,
      unit,
      base: rowNamed(rows, row).name,
      rows,
    });
  };
  const figure =
    (what: string, count: number): Variant =>
    () =>
      alone('one-of-many', [what, count]) as Promise<number>;
  await table(
    `a thread crashes that has ${CRASHED} instances: processor time of the host`,
    'ms',
    'until all are told',
    figure('crash', CRASHED),
  );
  await table(
    `idle instances that a stop ends in its default time, of ${STOPPED}`,
    'instances',
    'ended',
    figure('stop', STOPPED),
  );
  await table(
    `one stop where ${WAITING} wait for a thread of their own: processor time of the host`,
    'ms',
    'one release',
    figure('release', WAITING),
  );
  await table(`probes of a gateway with ${ALIVE} instances, p50 of ${PROBES}`, 'ms', '/readyz', probes);
}

async function probes(): Promise<Sample> {
  const served = await startGateway();
  const { url, headers } = served;
  try {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < ALIVE) {
        const response = await fetch(`${url}/v1/agents/trading-agent/more-${next++}`, {
          method: 'PUT',
          headers,
        });
        if (!response.ok) throw new Error(`no instance: ${await response.text()}`);
        await response.arrayBuffer();
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
    const took: number[] = [];
    for (let i = 0; i < PROBES; i++) {
      const began = performance.now();
      const response = await fetch(`${url}/readyz`);
      if (!response.ok) throw new Error(`it is not ready: ${await response.text()}`);
      await response.arrayBuffer();
      took.push(performance.now() - began);
    }
    return { value: median(took) };
  } finally {
    await served.stop();
  }
}
