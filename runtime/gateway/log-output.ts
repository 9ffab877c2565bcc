import type { Writable } from 'node:stream';

/** The most bytes of lines that wait: as much as for the output of a thread. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Writes lines as long as somebody reads them. When 16 MiB wait, further lines are left out, and a line says how many.
 */
export function writeLines(to: Writable): (line: string) => void {
  let leftOut = 0;
  const goOn = (): void => {
    const message = `${leftOut} lines were left out of the log: its reader was too slow`;
    leftOut = 0;
    to.write(`${JSON.stringify({ time: new Date().toISOString(), level: 'warn', message })}\n`);
  };
  return (line) => {
    if (to.writableLength <= MOST_BYTES) {
      to.write(line);
    } else {
      leftOut += 1;
      if (leftOut === 1) to.once('drain', goOn);
    }
  };
}

/** Writes a text; returns a promise when it has to wait until somebody has read, or nobody will any more. */
export function written(
  to: { write(text: string): unknown; readonly under?: object },
  text: string,
): Promise<void> | undefined {
  const stream = to.under ?? to;
  if (to.write(text) !== false || !isStream(stream)) return undefined;
  return new Promise((resolve) => {
    const goOn = (): void => {
      stream.off('drain', goOn);
      stream.off('close', goOn);
      stream.off('error', goOn);
      resolve();
    };
    stream.on('drain', goOn);
    stream.on('close', goOn);
    stream.on('error', goOn);
  });
}

function isStream(to: object): to is Writable {
  return 'writableNeedDrain' in to && to.writableNeedDrain === true;
}
