import { expect, test } from 'vitest';
import { chartGraph, type ChartGraph } from './chart-graph.ts';
import { chartMermaid } from './chart-mermaid.ts';
import { planChart } from './chart-plan.ts';

const mermaid = (config: object): string =>
  chartMermaid(planChart(chartGraph(JSON.stringify(config)) as ChartGraph, new Set()));

test('a chart as Mermaid has all states, and arrows between states that stand beside each other alone', () => {
  expect(
    mermaid({
      id: 'm',
      initial: 'a',
      on: { RESET: '.a' },
      states: {
        a: { on: { GO: { target: 'b.y', guard: 'ok' }, STAY: { actions: 'beep' } }, after: { 1000: 'b' } },
        b: {
          initial: 'x',
          states: { x: { on: { N: 'y', OUT: '#m.c' } }, y: { type: 'final' }, h: { type: 'history' } },
        },
        c: { type: 'final' },
        p: { type: 'parallel', states: { q: {}, r: {} } },
      },
    }),
  ).toBe(`stateDiagram-v2
  [*] --> s_1
  state "a" as s_1
  state "b" as s_2 {
    [*] --> s_3
    state "x" as s_3
    state "y" as s_4
    state "h (history)" as s_5
    s_3 --> s_4 : N
    s_4 --> [*]
  }
  state "c" as s_6
  state "p" as s_7 {
    state "q" as s_8
    --
    state "r" as s_9
  }
  s_1 --> s_1 : STAY / beep
  s_1 --> s_2 : GO [ok] → y
  s_1 --> s_2 : after 1 s
  s_2 --> s_6 : x#58; OUT
  s_6 --> [*]
  state "in any state of m" as anywhere
  anywhere --> anywhere : RESET → a
`);
});

test('nothing of a name means anything to Mermaid', () => {
  const text = mermaid({
    id: 'm',
    initial: 'x"',
    states: { 'x"': { on: { 'a: "b"; {c}\n': '<y>' } }, '<y>': {} },
  });
  expect(text).toContain('state "x#34;" as s_1');
  expect(text).toContain(' : a#58; #34;b#34;#59; #123;c#125;#10;\n');
});
