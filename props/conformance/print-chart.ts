import type {
  Action,
  Chart,
  Guard,
  Invoke,
  Reaction,
  Scenario,
  State,
  Step,
  Transition,
  Trigger,
} from './chart.ts';

/** A chart and its events as text to read. */
export function printScenario({ chart, as, steps }: Scenario): string {
  return [...printChart(chart), '', `run as ${as}`, ...steps.map((step) => `  ${printStep(step)}`)].join(
    '\n',
  );
}

export function printStep(step: Step): string {
  if ('send' in step) return step.send.map(({ type, n }) => `${type}(${n})`).join(' ');
  return 'advance' in step ? `${step.advance} ms pass` : 'stop, and start from the persisted snapshot';
}

function printChart(chart: Chart): string[] {
  const lines = printState(chart.root);
  lines[0] += ` (${chart.fuel} transitions at most)${chart.output === null ? '' : `, output ${chart.output}`}`;
  for (const [src, actor] of Object.entries(chart.actors)) {
    if (actor.kind === 'machine') lines.push(`actor ${src}`, ...indent(printChart(actor.chart)));
    else lines.push(`actor ${src} ${JSON.stringify(actor)}`);
  }
  return lines;
}

function printState(state: State): string[] {
  const { id, kind, initial, tags, entry, exit, invoke, transitions, output, states } = state;
  const lines: string[] = [];
  if (entry.length > 0) lines.push(`entry: ${printActions(entry)}`);
  for (const one of invoke) lines.push(...printInvoke(one));
  for (const one of transitions) lines.push(printTransition(one));
  if (exit.length > 0) lines.push(`exit: ${printActions(exit)}`);
  for (const child of states) lines.push(...printState(child));
  const notes = [
    initial === null ? '' : kind.endsWith('history') ? `else ${initial}` : `starts in ${initial}`,
    tags.length === 0 ? '' : `tags ${tags.join(' ')}`,
    output === null ? '' : `output ${output}`,
  ].filter(Boolean);
  return [`${id}: ${kind}${notes.length === 0 ? '' : `, ${notes.join(', ')}`}`, ...indent(lines)];
}

function printTrigger(trigger: Trigger): string {
  if ('on' in trigger) return trigger.on;
  if ('after' in trigger) return `after ${trigger.after} ms`;
  return 'always' in trigger ? 'always' : 'when done';
}

function printTransition({ trigger, ...reaction }: Transition): string {
  return `${printTrigger(trigger)} ${printReaction(reaction)}`;
}

function printReaction({ guard, target, reenter, actions }: Reaction): string {
  return [
    guard === null ? '' : `[${printGuard(guard)}]`,
    target === null ? '(stays)' : `-> ${target}`,
    reenter ? '(reenter)' : '',
    actions.length === 0 ? '' : `/ ${printActions(actions)}`,
  ]
    .filter(Boolean)
    .join(' ');
}

function printInvoke({ src, id, systemId, onDone, onError, onSnapshot }: Invoke): string[] {
  const lines = [
    `invoke ${src}${id === null ? '' : ` as ${id}`}${systemId === null ? '' : ` (system id ${systemId})`}`,
  ];
  if (onDone !== null) lines.push(`  on done ${printReaction(onDone)}`);
  if (onError !== null) lines.push(`  on error ${printReaction(onError)}`);
  if (onSnapshot !== null) lines.push(`  on snapshot ${printReaction(onSnapshot)}`);
  return lines;
}

function printGuard(guard: Guard): string {
  switch (guard.is) {
    case 'not':
      return `not ${printGuard(guard.of)}`;
    case 'all':
    case 'any':
      return `${guard.is} of (${guard.of.map(printGuard).join(', ')})`;
    case 'in state':
      return `in ${guard.id}`;
    case 'count below':
    case 'payload above':
      return `${guard.is} ${guard.n}`;
    case 'count even':
    case 'throwing':
    default:
      return guard.is;
  }
}

function printActions(actions: readonly Action[]): string {
  return actions.map(printAction).join('; ');
}

function printAction(action: Action): string {
  if (action.do === 'when') return `when ${printGuard(action.guard)} { ${printActions(action.actions)} }`;
  const { do: what, ...rest } = action;
  const details = Object.entries(rest).flatMap(([key, value]) =>
    value === null
      ? []
      : key === 'delay'
        ? [`in ${value} ms`]
        : key === 'to'
          ? [`to ${value}`]
          : [String(value)],
  );
  return [what, ...details].join(' ');
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
