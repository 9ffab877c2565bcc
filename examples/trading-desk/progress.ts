import { stripVTControlCharacters, styleText } from 'node:util';

/** Where the desk writes: `process.stdout`, or anything like it. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';
export type Paint = (style: Style, text: string) => string;

/** What goes on at the moment: a few lines for a terminal, one for a log when it is worth one. */
export interface Status {
  readonly lines: readonly string[];
  readonly line: string | undefined;
}

/** Writes what stays, and on a terminal keeps a status block below it up to date. */
export interface Progress {
  readonly paint: Paint;
  /** Writes lines that stay. */
  readonly say: (text: string) => void;
  /** Replaces the status block; where there is no terminal, one line a second at most. */
  readonly show: (status: Status) => void;
  /** Takes the status block away. */
  readonly clear: () => void;
}

const PLAIN_EVERY_MS = 1000;

/** Colours only on a terminal that has them, and never with NO_COLOR. */
export function painter(output: Output, env: NodeJS.ProcessEnv): Paint {
  const colours = output.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return (style, text) => (colours ? styleText(style, text, { validateStream: false }) : text);
}

/** `onText` hears everything that is written. */
export function createProgress(
  output: Output,
  onText: (text: string) => void = () => {},
  env: NodeJS.ProcessEnv = process.env,
): Progress {
  const live = output.isTTY === true && env['TERM'] !== 'dumb';
  const paint = painter(output, env);
  const write = (text: string): void => {
    onText(text);
    output.write(text);
  };
  return live ? createLive(write, () => output.columns ?? 80, paint) : createPlain(write, paint);
}

function createPlain(write: (text: string) => void, paint: Paint): Progress {
  let due = 0;
  return {
    paint,
    say(text) {
      write(`${text}\n`);
    },
    show({ line }) {
      if (line === undefined || performance.now() < due) return;
      due = performance.now() + PLAIN_EVERY_MS;
      write(`${line}\n`);
    },
    clear() {},
  };
}

function createLive(write: (text: string) => void, columns: () => number, paint: Paint): Progress {
  let shown: readonly string[] = [];
  // Up over the block and away with it; one write, so that nothing flickers.
  const erase = (): string => (shown.length === 0 ? '' : `\u001B[${shown.length}A\u001B[0J`);
  const block = (): string => shown.map((line) => `${cut(line, columns())}\n`).join('');
  return {
    paint,
    say(text) {
      write(`${erase()}${text}\n${block()}`);
    },
    show({ lines }) {
      const before = erase();
      shown = lines;
      write(before + block());
    },
    clear() {
      if (shown.length > 0) write(erase());
      shown = [];
    },
  };
}

/** A line that wrapped would take more rows than the block erases. */
function cut(line: string, columns: number): string {
  const bare = stripVTControlCharacters(line);
  return bare.length < columns ? line : bare.slice(0, columns - 1);
}

/** A bar of `width` characters, `share` of it full. */
export function bar(share: number, width = 20): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '━'.repeat(full) + '─'.repeat(width - full);
}
