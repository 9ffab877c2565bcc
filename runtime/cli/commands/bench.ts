import { availableParallelism, cpus } from 'node:os';
import { version } from '../../base/version.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type Measured, measure } from '../measured/rounds.ts';
import { paint, table, type Terminal } from '../terminal.ts';

/** Measures for some seconds what this machine does. */
export async function bench({ json }: { readonly json?: boolean }, terminal: Terminal): Promise<ExitCode> {
  const rows = await measure();
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    node: process.versions.node,
    holdfast: version,
  };
  if (json === true) {
    terminal.stdout.write(`${JSON.stringify({ ...machine, rows }, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const colour = paint(terminal);
  const cells = rows.map(({ name, unit, median, min, max, ratio }) => [
    name,
    `${colour('bold', figure(median))} ${unit}`,
    `${figure(min)} to ${figure(max)}`,
    ratio === undefined ? '' : `${ratio.toFixed(2)}x`,
  ]);
  terminal.stdout.write(
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, Holdfast ${version}\n\n${table(['', 'median of 5', 'spread', 'to a bare worker'], cells)}`,
  );
  return EXIT.ok;
}

function figure(value: Measured['median']): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(2);
}
