import { inspect } from 'node:util';
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
import { firstDifference, type Entry, type Trace } from './trace.ts';

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

const WIDTH = 70;
const BEFORE = 6;

/** Two traces beside each other around the first difference, which is marked; `undefined` when they are equal. */
export function printDifference(plain: Trace, agent: Trace): string | undefined {
  const first = firstDifference(plain, agent);
  if (first === -1) return undefined;
  const lines = [
    beside(' ', 'plain actor', 'agent in a thread'),
    beside(' ', '-'.repeat(WIDTH), '-'.repeat(WIDTH)),
  ];
  const from = Math.max(0, first - BEFORE);
  if (from > 0) lines.push(`  … ${from} equal entries before`);
  for (let i = from; i < Math.min(Math.max(plain.length, agent.length), first + 4); i++) {
    lines.push(...rows(i === first ? '>' : ' ', wrap(plain[i], i === first), wrap(agent[i], i === first)));
  }
  return lines.join('\n');
}

function rows(mark: string, left: readonly string[], right: readonly string[]): string[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) =>
    beside(mark, left[i] ?? '', right[i] ?? ''),
  );
}

function beside(mark: string, left: string, right: string): string {
  return `${mark} ${left.padEnd(WIDTH)} | ${right}`.trimEnd();
}

/** An entry in full where it matters, else in two lines. */
function wrap(entry: Entry | undefined, full: boolean): string[] {
  if (entry === undefined) return ['(nothing)'];
  const text = printEntry(entry);
  const lines = text.match(new RegExp(`.{1,${WIDTH}}`, 'gu')) ?? [''];
  return full || lines.length <= 2 ? lines : [lines[0], `${(lines[1] as string).slice(0, WIDTH - 1)}…`];
}

function printEntry(entry: Entry): string {
  if (entry.at === 'step') return `--- ${entry.step}`;
  const { at, ...rest } = entry;
  return `${at} ${inspect(rest, { depth: 12, breakLength: Infinity, compact: true, sorted: true })}`;
}
