import type { Readable, Writable } from 'node:stream';

/**
 * Has what a thread prints come out of the process without the values of secrets. Each chunk by itself, since what a
 * `console.log` prints is one; who prints a value in pieces gets it out.
 */
export function forwardOutput(from: Readable, to: Writable, scrubText: (text: string) => string): void {
  from.on('data', (chunk: Buffer) => {
    // One character for each byte, so that what is no text passes too.
    const printed = chunk.toString('latin1');
    const shown = scrubText(printed);
    to.write(shown === printed ? chunk : Buffer.from(shown, 'latin1'));
  });
}
