import { styleText } from 'node:util';
import { shownLines, shownText } from '../base/shown-text.ts';

const STYLES = ['bold', 'dim', 'green', 'yellow', 'red', 'cyan'] as const;

type Style = (typeof STYLES)[number];

/** Where the command writes, and what it knows of its surroundings. */
export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Where a value is read from that no command line may have. */
  readonly stdin?: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Who started this process and waits for what becomes of it. */
  readonly starter?: (message: object) => void;
}

export interface Output {
  write(text: string): unknown;
  /** A person reads it. */
  readonly isTTY?: boolean | undefined;
  /** What this one writes to. */
  readonly under?: Output;
}

/**
 * Noncharacters, two for each style, for which the codes of a terminal are written at the end: so that nothing else in a text is one.
 * Who puts one there itself colours its text.
 */
const FIRST_MARK = 0xfdd0;
const MARKS = /[\ufdd0-\ufddb]/g;
const codes = STYLES.flatMap((style) => styleText(style, '\0', { validateStream: false }).split('\0'));

/** Colours where a person sees them: on a terminal, without `NO_COLOR`. */
export function paint(terminal: Terminal): (style: Style, text: string) => string {
  if (!isColoured(terminal)) return (_style, text) => text;
  return (style, text) => {
    const mark = FIRST_MARK + 2 * STYLES.indexOf(style);
    return `${String.fromCharCode(mark)}${text}${String.fromCharCode(mark + 1)}`;
  };
}

function isColoured({ stdout, env }: Terminal): boolean {
  return stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '';
}

/** The same terminal, to which nothing gets that steers it but colours: whoever a text is from, it is shown as what it has. */
export function guarded(terminal: Terminal): Terminal {
  const { stdout, stderr } = terminal;
  const output = (under: Output, shown: (text: string) => string): Output => ({
    write: (text) => under.write(shown(text)),
    isTTY: under.isTTY,
    under,
  });
  const coloured = (text: string): string =>
    shownLines(text).replaceAll(MARKS, (mark) => codes[mark.charCodeAt(0) - FIRST_MARK] ?? '');
  return {
    ...terminal,
    stdout: output(stdout, isColoured(terminal) ? coloured : shownLines),
    stderr: output(stderr, shownLines),
  };
}

/** `1 instance`, `2 instances`. */
export function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** Columns under headings, as wide as what is in them. A cell stays in its line. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows].map((cells) => cells.map(shownText));
  const widths = headings.map((_heading, n) =>
    Math.max(...lines.map((cells) => plain(cells[n] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, n) => cell + ' '.repeat(Math.max(0, (widths[n] ?? 0) - plain(cell).length)))
      .join('  ')
      .trimEnd();
  return lines.map((cells) => `${line(cells)}\n`).join('');
}

/** As it is seen. */
function plain(text: string): string {
  return text.replaceAll(MARKS, '');
}
