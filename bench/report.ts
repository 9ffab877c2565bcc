// npm run bench -- --json bench.json && node bench/report.ts bench.json
// Writes the tables of a run into a file of bench/results/, named by its date, and by its suites when there are few.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MachineInfo } from './lib/machine-info.ts';
import { pairHead, pairLines, type Found } from './beside.ts';
import { houseCells, houseHead, type HouseLine } from './house.ts';
import { figure, rowNamed, type Gate, type Note, type Table } from './lib/results.ts';
import { median, ratio } from './lib/rounds.ts';

/** What `--json` writes. */
export interface Run {
  readonly machine: MachineInfo;
  readonly rounds: number;
  readonly suites: readonly string[];
  readonly tables: readonly Table[];
  readonly gates: readonly Gate[];
  readonly notes: readonly Note[];
  /** The table that the house holds itself to, in a run of it. */
  readonly house?: readonly HouseLine[];
  /** What the commit had by turns with the working tree, in a run with `--beside`. */
  readonly beside?: Found & { readonly commit: string; readonly subject: string };
}

/** Suites that a name has room for. */
const MOST_NAMED = 3;
const folder = new URL('./results/', import.meta.url);

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node bench/report.ts <file that --json wrote>');
  process.exit(2);
}
const run = JSON.parse(readFileSync(file, 'utf8')) as Run;
const page = new URL(`${nameOf(run)}.md`, folder);
writeFileSync(page, figures(run), { flag: 'wx' });
console.log(`written: ${fileURLToPath(page)}`);

function nameOf({ machine, suites, beside }: Run): string {
  const date = machine.at.slice(0, 10);
  const named = suites.length > MOST_NAMED ? [] : suites;
  return [date, ...named, ...(beside === undefined ? [] : ['beside', beside.commit])].join('-');
}

function figures(run: Run): string {
  const title = `# ${nameOf(run)}\n`;
  const suites = run.suites.map((suite) => suiteText(run, suite));
  const { beside } = run;
  const there = beside === undefined ? [] : [`Beside ${beside.commit}, by turns: ${beside.subject}.\n`];
  return [title, machineText(run), ...there, houseText(run), gatesText(run), ...suites].join('\n');
}

function machineText({ machine, rounds }: Run): string {
  const { cpu, cores, memoryGb, os, node, packages } = machine;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGb} GB, ${os}, Node ${node}, ${rounds} rounds. ${versions.join(', ')}.\n`;
}

function houseText({ house = [] }: Run): string {
  return house.length === 0 ? '' : written('The table', houseHead, house.map(houseCells));
}

function gatesText({ gates }: Run): string {
  if (gates.length === 0) return '';
  const lines = gates.map(
    ({ text, value, passed }) => `| ${text} | ${value.toFixed(2)} | ${passed ? 'passed' : '**missed**'} |`,
  );
  return ['## Gates', '', '| gate | measured | |', '|---|---|---|', ...lines, ''].join('\n');
}

function suiteText({ tables, notes, beside }: Run, suite: string): string {
  const parts = tables
    .filter((table) => table.suite === suite)
    .map((table) => {
      const there = beside?.tables.find((one) => one.suite === suite && one.title === table.title);
      return there === undefined ? tableText(table) : pairText(table, there);
    });
  const said = notes
    .filter((note) => note.suite === suite)
    .map(({ text, value }) => {
      const there = beside?.notes.find((note) => note.suite === suite && note.text === text);
      return `- ${text}: ${value.toFixed(2)}${there === undefined ? '' : `, there ${there.value.toFixed(2)}`}`;
    });
  return [`## ${suite}`, '', ...parts, ...(said.length > 0 ? [...said, ''] : [])].join('\n');
}

function tableText(table: Table): string {
  const base = rowNamed(table.rows, table.base);
  const also = Object.keys(base.also);
  const unit = table.alsoUnit === undefined ? '' : `, ${table.alsoUnit}`;
  const hasCpu = table.rows.some(({ cpu }) => cpu.length > 0);
  const head = [
    '',
    table.unit,
    'spread',
    'ratio',
    ...(hasCpu ? ['CPU of one, µs'] : []),
    ...also.map((name) => `${name}${unit}`),
  ];
  const rows = table.rows.map((row) => [
    row.name,
    figure(row.median),
    `${figure(row.min)} to ${figure(row.max)}`,
    row === base ? '1' : figure(ratio(row, base)),
    ...(hasCpu ? [row.cpu.length > 0 ? figure(median(row.cpu)) : ''] : []),
    ...also.map((name) => figure(row.also[name] ?? Number.NaN)),
  ]);
  return written(table.title, head, rows);
}

function pairText(here: Table, there: Table): string {
  return written(here.title, pairHead(here.unit), pairLines(here, there));
}

function written(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [`**${title}**`, '', line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line), ''].join('\n');
}
