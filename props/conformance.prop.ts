import { env } from 'node:process';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { agentPlace, type AgentPlace } from './conformance/agent-place.ts';
import { scenario } from './conformance/chart-arbitrary.ts';
import type { Scenario } from './conformance/chart.ts';
import { FEATURES, featuresOf } from './conformance/features.ts';
import { losingEmitted, losingSnapshots } from './conformance/mutants.ts';
import { plainPlace } from './conformance/plain-place.ts';
import { printScenario } from './conformance/print-chart.ts';
import { printDifference } from './conformance/print-difference.ts';
import { runScenario, type Place } from './conformance/run-scenario.ts';

/** The nightly form has more: `HOLDFAST_CHARTS=2000 npx vitest run props/conformance.prop.ts`. */
const numRuns = Number(env['HOLDFAST_CHARTS'] ?? 100);
/** Of all charts, and of shrinking one that failed, so that its seed is printed in any case. */
const timeLimitMs = 60_000 + 100 * numRuns;
/** What a failure prints: the same charts again, or only the one that failed, shrunk. */
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};

/** Events from within that one turn of an agent takes; the others come in the next, when promises have gone on. */
const OWN_EVENTS_IN_A_TURN = 16;

async function differenceOf(place: Place, it: Scenario): Promise<string | undefined> {
  const plain = plainPlace();
  const expected = await runScenario(plain, it);
  fc.pre(plain.busiest <= OWN_EVENTS_IN_A_TURN);
  const actual = await runScenario(place, it);
  const difference = printDifference(expected, actual);
  return difference && `${printScenario(it)}\n\n${difference}`;
}

/** What charts do differently in `place`, in words; `undefined` when nothing was found. */
async function firstFailure(
  place: Place,
  parameters: fc.Parameters<[Scenario]>,
): Promise<string | undefined> {
  const conforms = fc.asyncProperty(scenario, async (it) => {
    const difference = await differenceOf(place, it);
    if (difference !== undefined) throw new Error(difference);
  });
  const details = await fc.check(conforms, {
    ...parameters,
    interruptAfterTimeLimit: timeLimitMs,
    markInterruptAsFailure: true,
  });
  const { failed, numRuns, seed, counterexamplePath, errorInstance } = details;
  if (!failed) return undefined;
  if (counterexamplePath === null) return `only ${numRuns} charts in ${timeLimitMs} ms`;
  const again = `HOLDFAST_SEED=${seed} HOLDFAST_PATH=${counterexamplePath} npx vitest run props/conformance.prop.ts`;
  const { message, stack } = errorInstance as Error;
  return `chart ${numRuns} behaves differently; again with\n  ${again}\n\n${message.includes('run as') ? message : stack}`;
}

let threads: AgentPlace;

vi.setConfig({ testTimeout: timeLimitMs + 30_000 });

beforeAll(async () => {
  // The development build of XState writes what charts do wrong to the console; they do much wrong.
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  threads = await agentPlace({ threads: true });
});

afterAll(() => threads.close());

test('a chart does in a thread what it does as a plain actor', async () => {
  expect(await firstFailure(threads, { numRuns, ...replay })).toBeUndefined();
});

test('a chart does in the test kit without threads what it does as a plain actor', async () => {
  const inProcess = await agentPlace({ threads: false });
  expect(await firstFailure(inProcess, { numRuns: Math.ceil(numRuns / 8), ...replay })).toBeUndefined();
  await inProcess.close();
});

test('the charts do everything that a state chart can do', async () => {
  const charts = fc.sample(scenario, { numRuns: 400, seed: 1 });
  const counts = new Map<string, number>(FEATURES.map((feature) => [feature, 0]));
  for (const it of charts) {
    for (const feature of await featuresOf(it)) counts.set(feature, (counts.get(feature) ?? 0) + 1);
  }
  const rare = [...counts].filter(([, count]) => count < charts.length / 100);
  expect(rare, 'features in less than 1 % of the charts').toEqual([]);
  const unknown = [...counts.keys()].filter((feature) => !FEATURES.includes(feature));
  expect(unknown, 'features that are not in the list').toEqual([]);
});

test.each([
  ['loses an emitted event', losingEmitted],
  ['loses a state', losingSnapshots],
])('a runtime that %s is found out, and the first difference is marked', async (_what, mutate) => {
  const failure = await firstFailure(mutate(threads), { numRuns: 200, endOnFailure: true });
  expect(failure).toMatch(/HOLDFAST_SEED=-?\d+ HOLDFAST_PATH=[\d:]+/u);
  expect(failure).toMatch(/^chart: (compound|parallel)/mu);
  expect(failure).toMatch(/^> /mu);
});

test('a runtime that tells only the latest of several states is found out', async () => {
  const latest = await agentPlace({ threads: true, mirror: 'latest' });
  expect(await firstFailure(latest, { numRuns: 200, endOnFailure: true })).toBeDefined();
  await latest.close();
});
