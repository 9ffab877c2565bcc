import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Takes a line that a thread printed, in place of the process's own output. */
export type PrintLine = (line: string) => void;

export interface Forwarding {
  /** The stream that the output ends in; while that is full, output stays in the thread. */
  readonly to: Writable;
  readonly scrubText: (text: string) => string;
  /** Takes each line. Default: output goes to `to` as it comes. */
  readonly print?: PrintLine | undefined;
}

/** The most bytes that wait for the reader of the output. Fewer would cost a turn of two event loops for each few lines. */
const MOST_WAITING = 1024 * 1024;
/** The most characters of a line that `print` gets at once. */
const LONGEST_LINE = 65_536;

/**
 * Forwards what a thread prints, without the values of secrets. Each chunk is scrubbed by itself, since a `console.log`
 * prints one chunk; a value that is printed in pieces gets out. While nobody reads the output of the process, the thread
 * is not read from either, so that this process's memory does not fill.
 */
export function forwardOutput(from: Readable, { to, scrubText, print }: Forwarding): void {
  const take = print === undefined ? intoStream(to, scrubText) : byLine(from, scrubText, print);
  from.on('data', (chunk: Buffer) => {
    take(chunk);
    if (to.writableNeedDrain && to.writableLength > MOST_WAITING && !to.destroyed)
      pauseUntilDrained(from, to);
  });
}

function intoStream(to: Writable, scrubText: Forwarding['scrubText']): (chunk: Buffer) => void {
  return (chunk) => {
    // One character for each byte, so that bytes that are not text pass unchanged.
    const printed = chunk.toString('latin1');
    const shown = scrubText(printed);
    to.write(shown === printed ? chunk : Buffer.from(shown, 'latin1'));
  };
}

function byLine(
  from: Readable,
  scrubText: Forwarding['scrubText'],
  print: PrintLine,
): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  let begun = '';
  const tell = (line: string): void => print(scrubText(line.endsWith('\r') ? line.slice(0, -1) : line));
  from.once('end', () => {
    if (begun !== '') tell(begun);
  });
  return (chunk) => {
    const lines = (begun + decoder.write(chunk)).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) tell(line);
    for (; begun.length > LONGEST_LINE; begun = begun.slice(LONGEST_LINE)) tell(begun.slice(0, LONGEST_LINE));
  };
}

/** The outputs that wait for a stream; many threads print into one. */
const waiting = new WeakMap<Writable, Set<Readable>>();

function pauseUntilDrained(from: Readable, to: Writable): void {
  from.pause();
  const known = waiting.get(to);
  if (known !== undefined) {
    known.add(from);
    return;
  }
  const all = new Set([from]);
  waiting.set(to, all);
  const goOn = (): void => {
    to.off('drain', goOn);
    to.off('close', goOn);
    waiting.delete(to);
    for (const one of all) one.resume();
  };
  to.on('drain', goOn);
  to.on('close', goOn);
}
