import type { ChartPlan, PlannedState } from './chart-plan.ts';

/** No state has this name: theirs begin with `s_`. */
const ANYWHERE = 'anywhere';

/**
 * A chart as the text of a Mermaid diagram. Mermaid draws no arrow across the border of a state, and neither does a plan:
 * its labels say which of the inner states they are about.
 */
export function chartMermaid({ root, states, edges }: ChartPlan): string {
  const held = Map.groupBy(edges, ({ from }) => states.get(from)?.parent);
  const names = new Map(Array.from(states.keys(), (id, n) => [id, `s_${n}`]));
  const name = (id: string): string => names.get(id) ?? ANYWHERE;
  const arrow = (from: string, to: string, label: string): string =>
    label === '' ? `${from} --> ${to}` : `${from} --> ${to} : ${escaped(label)}`;

  const inside = (state: PlannedState): string[] => {
    const children = state.children.flatMap((id) => states.get(id) ?? []);
    const blocks = children.map((child) => block(child));
    if (state.type === 'parallel') return blocks.flatMap((lines, n) => (n === 0 ? lines : ['--', ...lines]));
    return [
      ...(state.initial === undefined ? [] : [`[*] --> ${name(state.initial)}`]),
      ...blocks.flat(),
      ...children.flatMap(({ id, stays }) => stays.map((label) => arrow(name(id), name(id), plain(label)))),
      ...(held.get(state.id) ?? []).flatMap(({ from, to, labels }) =>
        labels.map((label) => arrow(name(from), name(to), label)),
      ),
      ...children.filter(({ type }) => type === 'final').map(({ id }) => `${name(id)} --> [*]`),
    ];
  };
  const block = (state: PlannedState): string[] => {
    const title =
      state.type === 'history' ? `${state.key} (history${state.mark === 'H*' ? ', deep' : ''})` : state.key;
    const declared = `state "${escaped(title)}" as ${name(state.id)}`;
    if (state.children.length === 0) return [declared];
    return [`${declared} {`, ...inside(state).map((line) => `  ${line}`), '}'];
  };

  const machine = states.get(root);
  if (machine === undefined) return 'stateDiagram-v2\n';
  const own = machine.stays.map((label) => arrow(ANYWHERE, ANYWHERE, plain(label)));
  const anywhere =
    own.length === 0 ? [] : [`state "in any state of ${escaped(machine.key)}" as ${ANYWHERE}`, ...own];
  return `${['stateDiagram-v2', ...[...inside(machine), ...anywhere].map((line) => `  ${line}`)].join('\n')}\n`;
}

/** An arrow back to its state says by itself that it stays. */
function plain(label: string): string {
  return label.replace(/^↺ /, '');
}

/** What means something to Mermaid as its entity code. */
function escaped(text: string): string {
  return text.replaceAll(/["#;:<>{}\\\n\r]/g, (character) => `#${character.codePointAt(0)};`);
}
