import { assign, and, createMachine, fromPromise, not, raise, setup, type AnyStateMachine } from 'xstate';
import { expect, test } from 'vitest';
import { poolMachine } from '../../actors/pool.ts';
import { providerBreakerMachine } from '../../actors/provider-breaker.ts';
import { secretEntryMachine } from '../../actors/secret-entry.ts';
import { secretsMachine } from '../../actors/secrets.ts';
import { supervisorMachine } from '../../actors/supervisor.ts';
import { threadMachine } from '../../actors/thread.ts';
import { toMermaid } from './to-mermaid.ts';

test('draws nested, parallel, final and history states, and transitions with guards, actions, delays and always', () => {
  const machine = setup({
    guards: { ok: () => true, hot: () => false },
    actors: { load: fromPromise(async () => 1) },
    actions: { beep() {} },
    delays: { soon: 500 },
  }).createMachine({
    id: 'm',
    initial: 'a',
    on: { RESET: '.a', '*': { actions: 'beep' } },
    states: {
      a: {
        on: {
          GO: [
            { guard: and(['ok', not('hot')]), target: 'b', actions: ['beep', assign({})] },
            { target: 'c' },
          ],
          STAY: { actions: raise({ type: 'X' }) },
        },
        after: { 1000: 'b', soon: 'c' },
        always: { guard: () => false, target: 'c' },
      },
      b: {
        initial: 'x',
        invoke: { src: 'load', id: 'loader', onDone: 'c', onError: { target: 'a' } },
        states: { x: { on: { N: 'y', UP: '#m.b' } }, y: { type: 'final' }, h: { type: 'history' } },
        onDone: 'p',
      },
      c: { type: 'final' },
      p: {
        type: 'parallel',
        states: {
          p1: { initial: 'q', states: { q: { on: { Z: '#m.b.h' } } } },
          p2: { initial: 'r', states: { r: { on: { OVER: '#m.p.p1.q' } } } },
        },
      },
    },
  });
  expect(toMermaid(machine)).toBe(`stateDiagram-v2
  [*] --> s_a
  state "a" as s_a
  state "b (invokes load)" as s_b {
    [*] --> s_b__x
    state "x" as s_b__x
    state "y" as s_b__y
    state "h (history)" as s_b__h
    s_b__x --> s_b__y : N
    s_b__y --> [*]
  }
  state "c" as s_c
  state "p" as s_p {
    state "p1" as s_p__p1 {
      [*] --> s_p__p1__q
      state "q" as s_p__p1__q
    }
    --
    state "p2" as s_p__p2 {
      [*] --> s_p__p2__r
      state "r" as s_p__p2__r
    }
  }
  s_a --> s_c : [inline]
  s_a --> s_b : GO [and(ok, not(hot))] / beep, assign
  s_a --> s_c : GO
  s_a --> s_a : STAY / raise
  s_a --> s_b : after 1000 ms
  s_a --> s_c : after soon
  s_b --> s_p : done
  s_b --> s_c : done load
  s_b --> s_a : error load
  s_b --> s_b : UP (from x)
  s_p --> s_b : Z (from p1.q, to h)
  s_p --> s_p : OVER (from p2.r, to p1.q)
  s_c --> [*]
  state "in any state of m" as anywhere
  anywhere --> s_a : RESET
  anywhere --> anywhere : any event / beep
`);
});

test('keys of any characters are told apart, and none of them means anything to Mermaid', () => {
  const machine = createMachine({
    id: 'odd',
    initial: 'a b',
    states: { 'a b': { on: { 'x: "y"; #1\n{<z>}': 'a_b' } }, a_b: {}, 'ä"': {}, __proto__x: {} },
  });
  const text = toMermaid(machine);
  const ids = [...text.matchAll(/ as (\S+)/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(4);
  expect(ids.every((id) => /^\w+$/.test(String(id)))).toBe(true);
  expect(text).toContain(' : x#58; #34;y#34;#59; #35;1#10;#123;#60;z#62;#125;\n');
});

test('a machine without states is a diagram all the same', () => {
  expect(toMermaid(createMachine({ id: 'flat', on: { A: {} } }))).toBe(
    'stateDiagram-v2\n  state "in any state of flat" as anywhere\n  anywhere --> anywhere : A\n',
  );
});

const own: [string, AnyStateMachine][] = [
  ['pool', poolMachine],
  ['breaker', providerBreakerMachine],
  ['secret', secretEntryMachine],
  ['secrets', secretsMachine],
  ['supervisor', supervisorMachine],
  ['thread', threadMachine],
];

test.each(own)(
  'of the machine of Holdfast called %s each arrow has both ends in its own block',
  (_, machine) => {
    assertWellFormed(toMermaid(machine));
  },
);

/** Mermaid takes an end that it does not know for a new state, and draws arrows across a border wrong. */
function assertWellFormed(text: string): void {
  const blocks: Set<string>[] = [new Set()];
  const arrows: [string, Set<string>][] = [];
  for (const line of text.split('\n').slice(1)) {
    const state = / as (\w+)( \{)?$/.exec(line);
    const ends = /^ *(\S+) --> (\S+)/.exec(line);
    const block = blocks.at(-1) as Set<string>;
    if (state !== null) block.add(String(state[1]));
    if (state?.[2] !== undefined) blocks.push(new Set());
    if (line.trim() === '}') blocks.pop();
    for (const end of ends?.slice(1) ?? []) if (end !== '[*]') arrows.push([end, block]);
  }
  expect(blocks).toHaveLength(1);
  expect(text).not.toMatch(/undefined|\[object/);
  for (const [end, block] of arrows) expect([end, block.has(end)]).toEqual([end, true]);
}
