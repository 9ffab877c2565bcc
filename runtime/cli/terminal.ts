import { styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan';

/** Where the command writes, and what it knows of its surroundings. */
export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Where a value is read from that no command line may have. */
  readonly stdin?: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Output {
  write(text: string): unknown;
  /** A person reads it. */
  readonly isTTY?: boolean | undefined;
}

/** Colours where a person sees them: on a terminal, without `NO_COLOR`. */
export function paint({ stdout, env }: Terminal): (style: Style, text: string) => string {
  const isColoured = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '';
  return (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text);
}

/** `1 instance`, `2 instances`. */
export function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** Columns under headings, as wide as what is in them. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, n) =>
    Math.max(heading.length, ...rows.map((row) => plain(row[n] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, n) => cell + ' '.repeat(Math.max(0, (widths[n] ?? 0) - plain(cell).length)))
      .join('  ')
      .trimEnd();
  return [headings, ...rows].map((cells) => `${line(cells)}\n`).join('');
}

/** As it is seen. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/\u001B\[\d+m/g, '');
}
