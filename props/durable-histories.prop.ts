import { env } from 'node:process';
import fc from 'fast-check';
import { test, vi } from 'vitest';
import { history } from './durable-histories/history.ts';
import { Office } from './durable-histories/office.ts';

/** 10,000 in the nightly run, or `HOLDFAST_RUNS=100 npx vitest run props/durable-histories.prop.ts`. */
const numRuns = 10 * Number(env['HOLDFAST_RUNS'] ?? 4);
/** Of all runs, and of shrinking one that failed, so that its seed is printed in any case. */
const timeLimitMs = 60_000 + 1000 * numRuns;
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};

vi.setConfig({ testTimeout: timeLimitMs + 30_000 });

test('whatever ends and fails, what durable agents acknowledged is there once and whole, and what they told stays', async () => {
  await fc.assert(
    fc.asyncProperty(history, (one) => Office.carryOut(one)),
    { numRuns, ...replay, interruptAfterTimeLimit: timeLimitMs },
  );
});
