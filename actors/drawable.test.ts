import { readdirSync, readFileSync } from 'node:fs';
import { StateMachine, type AnyStateMachine } from 'xstate';
import { toDirectedGraph } from 'xstate/graph';
import { describe, expect, test } from 'vitest';
import { poolMachine } from './pool.ts';
import { providerBreakerMachine } from './provider-breaker.ts';
import { secretEntryMachine } from './secret-entry.ts';
import { secretsMachine } from './secrets.ts';
import { supervisorMachine } from './supervisor.ts';
import { threadMachine } from './thread.ts';

const sources = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map((file) => ({ file, text: readFileSync(new URL(file, import.meta.url), 'utf8') }));

const machines: Record<string, AnyStateMachine> = {
  poolMachine,
  providerBreakerMachine,
  secretEntryMachine,
  secretsMachine,
  supervisorMachine,
  threadMachine,
};

/** Every state below `node`, by its id. */
function stateIds(node: { id: string; states: Record<string, unknown> }): string[] {
  return [node.id, ...Object.values(node.states).flatMap((child) => stateIds(child as typeof node))];
}

describe('every machine of the house', () => {
  test('is checked here', async () => {
    const modules = await Promise.all(
      sources.map(
        ({ file }) => import(new URL(file, import.meta.url).href) as Promise<Record<string, unknown>>,
      ),
    );
    const found = modules.flatMap((exported) =>
      Object.entries(exported).flatMap(([name, value]) => (value instanceof StateMachine ? [name] : [])),
    );
    expect(found.toSorted()).toEqual(Object.keys(machines));
  });

  test.each(Object.entries(machines))('%s becomes JSON and keeps its states', (_name, machine) => {
    const definition = JSON.parse(JSON.stringify(machine)) as Parameters<typeof stateIds>[0];
    expect(stateIds(definition).toSorted()).toEqual(stateIds(machine.root).toSorted());
    const config = JSON.parse(JSON.stringify(machine.config)) as { states: object };
    expect(Object.keys(config.states)).toEqual(Object.keys(machine.root.states));
  });

  test.each(Object.entries(machines))(
    '%s can be drawn: each state is reached by an edge',
    (_name, machine) => {
      type Graph = ReturnType<typeof toDirectedGraph>;
      const all = (graph: Graph): Graph[] => [graph, ...graph.children.flatMap(all)];
      const nodes = all(toDirectedGraph(machine));
      expect(nodes.map(({ id }) => id).toSorted()).toEqual(stateIds(machine.root).toSorted());
      const entered = nodes.flatMap(({ edges }) => edges.map(({ target }) => target.id));
      const initial = nodes.flatMap(({ stateNode }) => stateNode.initial.target.map(({ id }) => id));
      // A state with states of its own is entered through one of them, too.
      const reached = [...entered, ...initial, machine.root.id];
      const lost = nodes.filter(({ id }) => !reached.some((one) => one === id || one.startsWith(`${id}.`)));
      expect(lost.map(({ id }) => id)).toEqual([]);
      expect(() => JSON.stringify(nodes[0])).not.toThrow();
    },
  );
});

describe('every actor of the house', () => {
  /** `import … from '…'` and `export … from '…'`, with what they bring. */
  const imports = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/(?:^|;\s*)(?:import|export)\s([^;]*?)\sfrom\s+'([^']+)'/gm)].map(
      ([, what = '', from = '']) => ({
        file,
        typeOnly: what.startsWith('type '),
        from,
      }),
    ),
  );

  test('imports xstate, its neighbours, the error class and types, and nothing else', () => {
    expect(imports.length).toBeGreaterThan(10);
    const known = new Set(['xstate', '../runtime/base/errors.ts', ...sources.map(({ file }) => `./${file}`)]);
    const others = imports.filter(({ typeOnly, from }) => !typeOnly && !known.has(from));
    expect(others).toEqual([]);
  });

  test('is pure: no import by the way, no timer, clock, chance, process, console or network', () => {
    const impure = [
      /^import\s*'/m,
      /\b(?:import|require|fetch|set(?:Timeout|Interval|Immediate)|queueMicrotask)\s*\(/,
      /\b(?:Date|performance|process|console|globalThis|crypto)\b/,
      /Math\.random/,
    ];
    const found = sources.flatMap(({ file, text }) => {
      const code = text.replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, '');
      return impure.flatMap((pattern) => (pattern.test(code) ? [`${file}: ${pattern.exec(code)?.[0]}`] : []));
    });
    expect(found).toEqual([]);
  });
});
