import type { Action, Chart, Guard, Scenario, State } from './chart.ts';
import { RICH, THROWN } from './chart.ts';
import { plainPlace } from './plain-place.ts';
import { runScenario } from './run-scenario.ts';
import type { Entry, Seen } from './trace.ts';

const ACTIONS: readonly Action['do'][] = [
  'count',
  'note',
  'put',
  'raise',
  'cancel',
  'emit',
  'send',
  'send by system id',
  'send parent',
  'forward',
  'spawn',
  'stop',
  'throw',
  'when',
];

const GUARDS: readonly Guard['is'][] = [
  'count below',
  'payload above',
  'count even',
  'throwing',
  'in state',
  'not',
  'all',
  'any',
];

/** Everything that has to happen in charts. */
export const FEATURES: readonly string[] = [
  ...ACTIONS,
  ...GUARDS.map((guard) => `guard: ${guard}`),
  ...RICH.map((rich) => `rich: ${rich}`),
  ...THROWN.map((thrown) => `thrown: ${thrown}`),
  'atomic state',
  'compound state',
  'parallel state',
  'final state',
  'to shallow history',
  'to deep history',
  'history kept',
  'tags',
  'reenter',
  'event',
  'wildcard',
  'always',
  'after',
  'state done',
  'delayed raise',
  'delayed send',
  'invoke',
  'child done',
  'child output',
  'child error',
  'child snapshot',
  'child machine',
  'promise: resolve',
  'promise: reject',
  'callback',
  'callback: receive',
  'transition logic',
  'observable',
  'output',
  'output of the chart',
  'ends done',
  'ends in error',
  'still runs',
  'heard from a child',
  'three levels',
  'several events at once',
  'time passes',
  'restarts',
  'run as actor',
  'run as spawned',
  'run as child',
];

/** What happens when the chart runs, and what it is made of where that cannot be seen. */
export async function featuresOf(it: Scenario): Promise<ReadonlySet<string>> {
  const features = new Set<string>([`run as ${it.as}`]);
  const place = plainPlace((feature) => features.add(feature));
  const trace = await runScenario(place, it);
  if (depthOf(it.chart) >= 3) features.add('three levels');
  for (const entry of trace) seen(entry, features);
  const steps = trace.filter(({ at }) => at === 'step').length;
  for (const step of it.steps.slice(0, steps)) {
    if ('restart' in step && it.as !== 'child') features.add('restarts');
    if ('advance' in step) features.add('time passes');
    if ('send' in step && step.send.length > 1) features.add('several events at once');
  }
  return features;
}

function seen(entry: Entry, features: Set<string>): void {
  if (entry.at === 'heard') features.add('heard from a child');
  if (entry.at !== 'rest') return;
  const { status, output } = entry.seen as Seen;
  features.add(status === 'active' ? 'still runs' : status === 'done' ? 'ends done' : 'ends in error');
  if (output !== undefined) features.add('output of the chart');
  const persisted = 'persisted' in entry ? (entry.persisted.value as { historyValue?: object }) : undefined;
  if (Object.keys(persisted?.historyValue ?? {}).length > 0) features.add('history kept');
}

function depthOf({ root }: Chart): number {
  const depth = ({ states }: State): number => 1 + Math.max(0, ...states.map(depth));
  return depth(root);
}
