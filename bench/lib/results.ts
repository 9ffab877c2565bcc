import { median, ratio, type Row } from './rounds.ts';
import { isPartial } from './selection.ts';

export type Unit =
  | 'events/s'
  | 'asks/s'
  | 'chunks/s'
  | 'tasks/s'
  | 'instances/s'
  | 'instances'
  | 'requests/s'
  | 'µs'
  | 'ms'
  | 'MB'
  | 'KB';

/** Rows that were measured together. */
export interface Table {
  readonly suite: string;
  readonly title: string;
  readonly unit: Unit;
  /** The row that the others are compared with. */
  readonly base: string;
  readonly rows: readonly Row[];
  /** What the further columns hold. */
  readonly alsoUnit?: Unit;
}

/** A figure that must hold: a suite that misses one fails. */
export interface Gate {
  readonly suite: string;
  readonly text: string;
  readonly value: number;
  readonly limit: number;
  readonly passed: boolean;
}

export interface Note {
  readonly suite: string;
  readonly text: string;
  readonly value: number;
}

/** What a bench run found; prints as it grows. */
export class Results {
  readonly tables: Table[] = [];
  readonly gates: Gate[] = [];
  readonly notes: Note[] = [];
  /** Versions of what a suite alone runs. */
  readonly packages: Record<string, string> = {};

  /** Hears of each table as it comes. */
  readonly #heard: (table: Table) => void;

  constructor(heard: (table: Table) => void = printed) {
    this.#heard = heard;
  }

  table(table: Table): void {
    if (table.rows.length === 0) return;
    this.tables.push(table);
    this.#heard(table);
  }

  gate(suite: string, text: string, value: number, bound: { atLeast: number } | { atMost: number }): void {
    const [limit, passed, sign] =
      'atLeast' in bound
        ? [bound.atLeast, value >= bound.atLeast, '>=']
        : [bound.atMost, value <= bound.atMost, '<='];
    if (Number.isNaN(value) && isPartial()) return;
    this.gates.push({ suite, text: `${text} ${sign} ${limit}`, value, limit, passed });
    console.log(`gate: ${text} ${sign} ${limit}: ${value.toFixed(2)} ${passed ? 'passed' : 'FAILED'}`);
  }

  /** A ratio that is worth saying and that nothing depends on. */
  note(suite: string, text: string, value: number): void {
    if (Number.isNaN(value) && isPartial()) return;
    this.notes.push({ suite, text, value });
    console.log(`      ${text}: ${value.toFixed(2)}`);
  }

  get passed(): boolean {
    return this.gates.every(({ passed }) => passed);
  }
}

export function rowNamed(rows: readonly Row[], name: string): Row {
  const row = rows.find((row) => row.name === name);
  if (row !== undefined) return row;
  if (!isPartial()) throw new Error(`no row is named "${name}"`);
  return { name, median: Number.NaN, min: Number.NaN, max: Number.NaN, rounds: [], cpu: [], also: {} };
}

function printed(table: Table): void {
  console.log(`\n${table.title}`);
  const width = Math.max(...table.rows.map(({ name }) => name.length));
  for (const row of table.rows) {
    console.log(`  ${row.name.padEnd(width)} ${cells(table, row).join('   ')}`);
  }
}

/** In columns: the first is text, the others are figures. */
export function printCells(lines: readonly (readonly string[])[]): void {
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines) {
    const cells = line.map((cell, i) =>
      i === 0 ? cell.padEnd(widths?.[i] ?? 0) : cell.padStart(widths?.[i] ?? 0),
    );
    console.log(`  ${cells.join('  ')}`);
  }
}

/** Median, spread, ratio to the base, processor time of one operation, and what else was measured. */
export function cells(table: Table, row: Row): string[] {
  const base = rowNamed(table.rows, table.base);
  const spread = `${figure(row.min)} - ${figure(row.max)}`;
  return [
    `${figure(row.median).padStart(7)} ${table.unit}`,
    spread.padStart(15),
    `${ratio(row, base).toFixed(2)}x`.padStart(7),
    ...(row.cpu.length > 0 ? [`${figure(median(row.cpu))} µs CPU`.padStart(12)] : []),
    ...Object.entries(row.also).map(([name, value]) => `${name} ${figure(value)} ${table.alsoUnit ?? ''}`),
  ];
}

export function figure(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)}M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)}k`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)}k`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
