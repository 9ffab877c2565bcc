// npm run bench -- --json bench.json && node bench/report.ts bench.json
// Writes the tables of a run into a file of bench/results/, named by its date, and by its suites when there are few.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MachineInfo } from './lib/machine-info.ts';
import { figure, rowNamed, type Gate, type Note, type Table } from './lib/results.ts';
import { ratio } from './lib/rounds.ts';

/** What `--json` writes. */
export interface Run {
  readonly machine: MachineInfo;
  readonly rounds: number;
  readonly suites: readonly string[];
  readonly tables: readonly Table[];
  readonly gates: readonly Gate[];
  readonly notes: readonly Note[];
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

function nameOf({ machine, suites }: Run): string {
  const date = machine.at.slice(0, 10);
  return suites.length > MOST_NAMED ? date : [date, ...suites].join('-');
}

function figures(run: Run): string {
  const title = `# ${nameOf(run)}\n`;
  const suites = run.suites.map((suite) => suiteText(run, suite));
  return [title, machineText(run), gatesText(run), ...suites].join('\n');
}

function machineText({ machine, rounds }: Run): string {
  const { cpu, cores, memoryGb, os, node, packages } = machine;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGb} GB, ${os}, Node ${node}, ${rounds} rounds. ${versions.join(', ')}.\n`;
}

function gatesText({ gates }: Run): string {
  if (gates.length === 0) return '';
  const lines = gates.map(
    ({ text, value, passed }) => `| ${text} | ${value.toFixed(2)} | ${passed ? 'passed' : '**missed**'} |`,
  );
  return ['## Gates', '', '| gate | measured | |', '|---|---|---|', ...lines, ''].join('\n');
}

function suiteText({ tables, notes }: Run, suite: string): string {
  const parts = tables.filter((table) => table.suite === suite).map(tableText);
  const said = notes
    .filter((note) => note.suite === suite)
    .map(({ text, value }) => `- ${text}: ${value.toFixed(2)}`);
  return [`## ${suite}`, '', ...parts, ...(said.length > 0 ? [...said, ''] : [])].join('\n');
}

function tableText(table: Table): string {
  const base = rowNamed(table.rows, table.base);
  const also = Object.keys(base.also);
  const unit = table.alsoUnit === undefined ? '' : `, ${table.alsoUnit}`;
  const head = ['', table.unit, 'spread', 'ratio', ...also.map((name) => `${name}${unit}`)];
  const rows = table.rows.map((row) => [
    row.name,
    figure(row.median),
    `${figure(row.min)} to ${figure(row.max)}`,
    row === base ? '1' : figure(ratio(row, base)),
    ...also.map((name) => figure(row.also[name] ?? Number.NaN)),
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [`**${table.title}**`, '', line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line), ''].join(
    '\n',
  );
}
