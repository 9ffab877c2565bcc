import { env } from 'node:process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crossingsOf, defectsOf } from '../runtime/inspect/local/fixtures/chart-defects.ts';
import { laidOut } from '../runtime/inspect/local/fixtures/elk.ts';
import { randomMachine } from '../runtime/inspect/local/fixtures/random-machine.ts';

/** The nightly form has more: `HOLDFAST_CHARTS=2000 npx vitest run props/charts.prop.ts`. */
const numRuns = Number(env['HOLDFAST_CHARTS'] ?? 150);
const timeLimitMs = 120_000 + 1000 * numRuns;
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};
/** States of the largest; those of each change are small, since ELK takes a tenth of a second for 30. */
const MOST_STATES = env['HOLDFAST_CHARTS'] === undefined ? 18 : 60;

test(
  'no edge of a chart goes through a state or a label, nothing lies over anything else, and all of it is inside',
  async () => {
    const seen = { states: 0, edges: 0, crossings: 0 };
    const direction = fc.constantFrom('RIGHT', 'DOWN');
    const property = fc.asyncProperty(randomMachine(MOST_STATES), direction, async (config, direction) => {
      const layout = await laidOut(config, { direction });
      seen.states += layout.boxes.size;
      seen.edges += layout.routes.length;
      seen.crossings += crossingsOf(layout);
      expect(defectsOf(layout)).toEqual([]);
    });
    await fc.assert(property, {
      ...replay,
      numRuns,
      interruptAfterTimeLimit: timeLimitMs,
      markInterruptAsFailure: true,
    });
    console.log(`${numRuns} charts: ${seen.states} states, ${seen.edges} edges, ${seen.crossings} crossings`);
  },
  timeLimitMs + 30_000,
);
