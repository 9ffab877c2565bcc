import fc from 'fast-check';
import { EVENTS, type Output, type Scenario, type Step } from './chart.ts';
import type {
  RawAction,
  RawActor,
  RawChart,
  RawGuard,
  RawInvoke,
  RawState,
  RawTrigger,
} from './raw-chart.ts';
import { nameChart } from './name-chart.ts';

const number = fc.nat({ max: 23 });
const event = fc.constantFrom(...EVENTS);
const few = <T>(item: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> => fc.array(item, { maxLength });
/** Absent once in `freq` times. */
const maybe = <T>(item: fc.Arbitrary<T>, freq: number): fc.Arbitrary<T | null> =>
  fc.option(item, { nil: null, freq });

const simpleGuard: fc.Arbitrary<RawGuard> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ is: fc.constant('count below' as const), n: fc.nat({ max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ is: fc.constant('payload above' as const), n: fc.nat({ max: 3 }) }) },
  { weight: 4, arbitrary: fc.constant({ is: 'count even' as const }) },
  { weight: 4, arbitrary: fc.record({ is: fc.constant('in state' as const), state: number }) },
  { weight: 1, arbitrary: fc.constant({ is: 'throwing' as const }) },
);
const guard: fc.Arbitrary<RawGuard> = fc.oneof(
  { weight: 6, arbitrary: simpleGuard },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('not' as const), of: simpleGuard }) },
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constantFrom('all' as const, 'any' as const),
      of: fc.array(simpleGuard, { minLength: 1, maxLength: 2 }),
    }),
  },
);

/** Kinds of actions by how often they are wanted; errors end a chart, so there are few. */
const KINDS: readonly [string, number][] = [
  ['note', 8],
  ['count', 7],
  ['emit', 6],
  ['raise', 5],
  ['send', 8],
  ['delayed raise', 3],
  ['delayed send', 4],
  ['put', 3],
  ['forward', 3],
  ['spawn', 2],
  ['cancel', 2],
  ['send by system id', 3],
  ['send parent', 5],
  ['stop', 1],
  ['throw', 2],
];

const kindOf = (kinds: readonly [string, number][]): fc.Arbitrary<string> =>
  fc.oneof(...kinds.map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) })));

const plainAction = fc.record({
  do: kindOf(KINDS),
  event,
  n: number,
  guard: fc.constant<RawGuard>({ is: 'count even' }),
  actions: fc.constant<RawAction[]>([]),
});
const action: fc.Arbitrary<RawAction> = fc.oneof(
  { weight: 9, arbitrary: plainAction },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('when'),
      event,
      n: number,
      guard: simpleGuard,
      actions: fc.array(plainAction, { minLength: 1, maxLength: 2 }),
    }),
  },
);

const reaction = {
  guard: maybe(guard, 2),
  target: maybe(number, 3),
  reenter: fc.oneof(
    { weight: 5, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  actions: few(action, 2),
};

const trigger: fc.Arbitrary<RawTrigger> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ on: event }) },
  { weight: 1, arbitrary: fc.record({ on: fc.constantFrom('*', 'go.*') }) },
  { weight: 3, arbitrary: fc.record({ after: fc.constantFrom(10, 20, 50) }) },
  { weight: 1, arbitrary: fc.constant({ always: true as const }) },
  { weight: 4, arbitrary: fc.constant({ done: true as const }) },
);

const output: fc.Arbitrary<Output> = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<Output>('count', 'event', 'log', 'rich') },
  { weight: 1, arbitrary: fc.constant<Output>('throwing') },
);

const invoke: fc.Arbitrary<RawInvoke> = fc.record({
  src: number,
  id: maybe(fc.constantFrom('k0', 'k1', 'k2'), 4),
  systemId: fc.oneof(
    { weight: 12, arbitrary: fc.constant(null) },
    { weight: 8, arbitrary: fc.constant('own' as const) },
    { weight: 1, arbitrary: fc.constant('shared' as const) },
  ),
  onDone: maybe(fc.record(reaction), 3),
  onError: maybe(fc.record(reaction), 8),
  onSnapshot: maybe(fc.record(reaction), 2),
});

function stateOf(
  kind: fc.Arbitrary<RawState['kind']>,
  states: fc.Arbitrary<RawState[]>,
): fc.Arbitrary<RawState> {
  return fc.record({
    kind,
    initial: number,
    tags: few(fc.constantFrom('busy', 'calm'), 1),
    entry: few(action, 2),
    exit: few(action, 1),
    invoke: few(invoke, 1),
    transitions: few(fc.record({ trigger, ...reaction }), 4),
    output: maybe(output, 2),
    states,
  });
}

const none = fc.constant<RawState[]>([]);
const leaf = stateOf(
  fc.oneof(
    { weight: 7, arbitrary: fc.constant('leaf' as const) },
    { weight: 3, arbitrary: fc.constant('final' as const) },
    { weight: 1, arbitrary: fc.constant('shallow history' as const) },
    { weight: 1, arbitrary: fc.constant('deep history' as const) },
  ),
  none,
);

function branch(kind: 'compound' | 'parallel', depth: number, minLength: number): fc.Arbitrary<RawState> {
  const children = fc.array(stateTree(depth - 1), { minLength, maxLength: 3 });
  return stateOf(fc.constant(kind), children);
}

function stateTree(depth: number): fc.Arbitrary<RawState> {
  if (depth === 0) return leaf;
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    { weight: 3, arbitrary: branch('compound', depth, 1) },
    { weight: 2, arbitrary: branch('parallel', depth, 1) },
  );
}

function chartOf(depth: number, actor: fc.Arbitrary<RawActor>, fuel: number): fc.Arbitrary<RawChart> {
  return fc.record({
    fuel: fc.constant(fuel),
    root: fc.oneof(
      { weight: 4, arbitrary: branch('compound', depth, 2) },
      { weight: 1, arbitrary: branch('parallel', depth, 2) },
    ),
    output: maybe(output, 2),
    actors: few(actor, 3),
  });
}

const simpleActor: fc.Arbitrary<RawActor> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('promise' as const),
      settle: fc.constantFrom('resolve' as const, 'resolve' as const, 'reject' as const),
      hops: fc.nat({ max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('callback' as const),
      greets: fc.boolean(),
      throws: fc.oneof(
        { weight: 6, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'transition' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('observable' as const),
      values: fc.nat({ max: 2 }),
      end: fc.constantFrom('complete' as const, 'complete' as const, 'error' as const),
    }),
  },
);
const machineActor = chartOf(1, simpleActor, 5).map((chart): RawActor => ({ kind: 'machine', chart }));
const actor = fc.oneof({ weight: 3, arbitrary: simpleActor }, { weight: 2, arbitrary: machineActor });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      send: fc.array(fc.record({ type: event, n: fc.nat({ max: 5 }) }), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ advance: fc.constantFrom(10, 25, 60) }) },
  { weight: 1, arbitrary: fc.constant({ restart: true as const }) },
);

/** A chart, how it is run, and what happens to it. */
export const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    raw: chartOf(2, actor, 16),
    as: fc.constantFrom('actor' as const, 'spawned' as const, 'child' as const),
    steps: fc.array(step, { minLength: 2, maxLength: 8 }),
  })
  .map(({ raw, as, steps }) => ({
    chart: nameChart(raw, as === 'child' ? 'machine' : 'none'),
    as,
    steps,
  }));
