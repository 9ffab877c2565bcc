import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../base/clock.ts';

export interface ServerLinesOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly tell: (line: string) => void;
}

/** The most characters of a line; the rest of it is left out. */
const LONGEST = 8192;
/** The most lines that are told within a second; a server that logs is not to fill the disk of its host. */
const LINES_A_SECOND = 100;

/** Tells the lines of a stream one by one, as long as they are not too many, and then how many were left out. */
export function tellLines(from: Readable, { clock, tell }: ServerLinesOptions): void {
  const decoder = new StringDecoder('utf8');
  let begun = '';
  let second = -Infinity;
  let told = 0;
  let leftOut = 0;
  const line = (text: string): void => {
    const now = clock.now();
    if (now - second >= 1000) {
      if (leftOut > 0) tell(`${leftOut} lines were left out`);
      [second, told, leftOut] = [now, 0, 0];
    }
    if (told >= LINES_A_SECOND) leftOut += 1;
    else tell(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
    told += 1;
  };
  from.on('data', (chunk: Buffer) => {
    const lines = (begun + decoder.write(chunk)).split('\n');
    // One character more than is told, so that a line that is cut shows it.
    begun = (lines.pop() ?? '').slice(0, LONGEST + 1);
    for (const text of lines) line(text.endsWith('\r') ? text.slice(0, -1) : text);
  });
  from.once('close', () => {
    if (begun !== '') line(begun);
    if (leftOut > 0) tell(`${leftOut} lines were left out`);
  });
}
