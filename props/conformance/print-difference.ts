import { inspect, isDeepStrictEqual } from 'node:util';
import { firstDifference, type Entry, type Trace } from './trace.ts';

/** Characters of a column. */
const WIDTH = 72;
/** Entries shown before the first difference, and after it. */
const BEFORE = 5;
const AFTER = 3;

/** Two traces beside each other around the first difference, which is marked; `undefined` when they are equal. */
export function printDifference(plain: Trace, agent: Trace): string | undefined {
  const first = firstDifference(plain, agent);
  if (first === -1) return undefined;
  const lines = [beside(' ', 'plain actor', 'agent'), beside(' ', '-'.repeat(WIDTH), '-'.repeat(WIDTH))];
  const from = Math.max(0, first - BEFORE);
  if (from > 0) lines.push(`  … ${from} equal entries before`);
  const until = Math.min(Math.max(plain.length, agent.length), first + AFTER + 1);
  for (let i = from; i < until; i++) {
    if (i === first) lines.push(...printFirst(plain[i], agent[i]));
    else lines.push(beside(' ', short(plain[i]), short(agent[i])));
  }
  return lines.join('\n');
}

/** Field by field; those that differ are marked, unless the two have nothing to do with each other. */
function printFirst(left: Entry | undefined, right: Entry | undefined): string[] {
  if (left?.at !== right?.at) return rows('>', cut(print(left)), cut(print(right)));
  const [one, other] = [fields(left), fields(right)];
  const names = [...new Set([...one.keys(), ...other.keys()])];
  return names.flatMap((name) => {
    const [a, b] = [one.get(name), other.get(name)];
    const text = (value: unknown): string[] => cut(`${name}: ${show(value)}`);
    return isDeepStrictEqual(a, b)
      ? [beside(' ', short(`${name}: ${show(a)}`), short(`${name}: ${show(b)}`))]
      : rows('>', text(a), text(b));
  });
}

/** Two levels deep, such as `seen.context`. */
function fields(entry: object | undefined): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [name, value] of Object.entries(entry ?? {})) {
    if (typeof value !== 'object' || value === null) flat.set(name, value);
    else for (const [inner, one] of Object.entries(value)) flat.set(`${name}.${inner}`, one);
  }
  return flat;
}

function rows(mark: string, left: readonly string[], right: readonly string[]): string[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) =>
    beside(mark, left[i] ?? '', right[i] ?? ''),
  );
}

function beside(mark: string, left: string, right: string): string {
  return `${mark} ${left.padEnd(WIDTH)} | ${right}`.trimEnd();
}

function cut(text: string): string[] {
  return text.match(new RegExp(`.{1,${WIDTH}}`, 'gsu')) ?? [''];
}

function short(entry: Entry | string | undefined): string {
  const text = typeof entry === 'string' ? entry : print(entry);
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text;
}

function print(entry: Entry | undefined): string {
  switch (entry?.at) {
    case undefined:
      return '(nothing)';
    case 'step':
      return `--- ${entry.step}`;
    case 'snapshot':
    case 'rest': {
      const { status, value, context } = entry.seen;
      return `${entry.at} ${status} ${show(value)} ${show(context)}`;
    }
    case 'emitted':
      return `emitted ${show(entry.event)}`;
    case 'error':
      return `error ${show(entry.error)}`;
    case 'heard':
      return `heard ${show(entry.heard)}`;
    case 'complete':
    default:
      return 'complete';
  }
}

function show(value: unknown): string {
  return inspect(value, { depth: 12, breakLength: Infinity, compact: true, sorted: true });
}
