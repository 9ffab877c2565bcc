import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { Referee, type Side } from './lib/referee.ts';
import { figure, printCells, rowNamed, type Gate, type Note, type Table } from './lib/results.ts';
import { cpuRatio, median, ratio, type Row } from './lib/rounds.ts';
import { treeOf, type BuiltTree } from './lib/tree-of.ts';
import type { TurnMessage } from './lib/turns.ts';

/** What the process of one build found. */
export interface Found {
  readonly tables: readonly Table[];
  readonly gates: readonly Gate[];
  readonly notes: readonly Note[];
}

/** What that process says besides its turns: a table as it comes, a suite that it cannot run, and all in the end. */
export type SideMessage =
  | TurnMessage
  | { readonly table: Table }
  | { readonly suite: string; readonly failed: string }
  | { readonly found: Found };

/** A run of two builds by turns. */
export interface Beside {
  readonly ref: Pick<BuiltTree, 'commit' | 'subject'>;
  readonly found: Readonly<Record<Side, Found>>;
}

const nothing: Found = { tables: [], gates: [], notes: [] };

/** Runs the suites in a process for each build, one of which measures at a time, and prints both. */
export async function besideRef(ref: string, args: readonly string[]): Promise<Beside> {
  const tree = treeOf(ref);
  console.log(`beside ${tree.commit}: ${tree.subject}`);
  const folders = { this: fileURLToPath(new URL('../', import.meta.url)), ref: tree.folder };
  const found: Record<Side, Found> = { this: nothing, ref: nothing };
  const pending: Record<Side, Table[]> = { this: [], ref: [] };
  const children = {} as Record<Side, ChildProcess>;
  const referee = new Referee((side) => children[side].send('measure'));
  const heard = (side: Side, message: SideMessage): void => {
    if ('turn' in message) {
      if (message.turn === 'over') referee.over(side);
      else referee.waits(side, message.turn);
    } else if ('table' in message) {
      pending[side].push(message.table);
      printPairs(pending);
    } else if ('found' in message) found[side] = message.found;
    else
      console.log(
        `\n${message.suite}: ${side === 'ref' ? tree.commit : 'the working tree'} cannot run it: ${message.failed}`,
      );
  };
  const ends = (['this', 'ref'] as const).map(async (side) => {
    const child = fork(join(folders[side], 'bench/main.ts'), args, {
      cwd: folders[side],
      env: { ...process.env, HOLDFAST_BENCH_SIDE: side, HOLDFAST_BENCH_HERE: folders.this },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    children[side] = child;
    child.on('message', (message) => heard(side, message as SideMessage));
    await once(child, 'exit');
    referee.ended(side);
  });
  process.once('exit', () => Object.values(children).forEach((child) => child.kill()));
  await Promise.all(ends);
  for (const side of ['this', 'ref'] as const) for (const table of pending[side]) printOne(side, table);
  return { ref: { commit: tree.commit, subject: tree.subject }, found };
}

/** Tables of the same title are of the same measurement; what one build alone has stays until the end. */
function printPairs(pending: Record<Side, Table[]>): void {
  for (const table of pending.this) {
    const other = pending.ref.find(({ suite, title }) => suite === table.suite && title === table.title);
    if (other === undefined) continue;
    pending.this = pending.this.filter((one) => one !== table);
    pending.ref = pending.ref.filter((one) => one !== other);
    console.log(`\n${table.title}`);
    printCells([pairHead(table.unit), ...pairLines(table, other)]);
  }
}

function printOne(side: Side, table: Table): void {
  console.log(`\nonly ${side === 'this' ? 'here' : 'there'}: ${table.title}`);
  for (const { name, median, min, max } of table.rows)
    console.log(`  ${name}  ${figure(median)} ${table.unit}  ${figure(min)} - ${figure(max)}`);
}

export function pairHead(unit: string): string[] {
  return ['', unit, 'spread', 'to base', 'CPU µs', 'there', 'spread', 'to base', 'CPU µs', 'to there', 'CPU'];
}

/** A line for each row: here, there, and the ratios of here to there. A row that there lacks is compared with its base. */
export function pairLines(here: Table, there: Table): string[][] {
  return here.rows.map((row) => {
    const other = there.rows.find(({ name }) => name === row.name);
    const against = other ?? rowNamed(there.rows, there.base);
    const mark = other === undefined ? ' of base' : '';
    return [
      row.name,
      ...sideCells(row, here),
      ...(other === undefined ? ['-', '-', '-', '-'] : sideCells(other, there)),
      `${times(ratio(row, against))}${mark}`,
      times(cpuRatio(row, against)),
    ];
  });
}

function sideCells(row: Row, table: Table): string[] {
  return [
    figure(row.median),
    `${figure(row.min)} - ${figure(row.max)}`,
    times(ratio(row, rowNamed(table.rows, table.base))),
    row.cpu.length > 0 ? figure(median(row.cpu)) : '-',
  ];
}

const times = (value: number): string => (Number.isNaN(value) ? '-' : `${value.toFixed(2)}x`);
