import type { Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';

/** Bytes that wait in one stream until the host takes them, beyond which the instances of the thread wait for it. */
const HELD_BYTES = 1024 * 1024;
/** Milliseconds that they wait at most: who reads the output may have gone for good. */
const HELD_MS = 1000;
/** Bytes that wait in one stream at most; what is printed then is left out. */
const MOST_BYTES = 16 * 1024 * 1024;
/** Milliseconds after which is said how much: as for lines of the log. */
const TOLD_MS = 30_000;

export interface PrintedOptions {
  readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>;
  readonly warn: (message: string) => void;
  /** The instances go on. */
  readonly resume: () => void;
}

/** What a thread prints, within bounds. */
export interface Printed {
  /** The host has not taken so much of it that the instances wait. */
  readonly held: boolean;
}

/**
 * Bounds what of a thread's output waits in its own memory while the host does not take it: the instances wait a
 * moment, then what they print is left out and counted, as a flood of log lines is.
 */
export function boundPrinted(streams: readonly Writable[], { clock, warn, resume }: PrintedOptions): Printed {
  let timer: unknown;
  let isHeld = false;
  /** They have waited, and it was of no use. Until all of it is taken they do not again. */
  let isStuck = false;
  let leftOut = 0;

  const isOver = (bytes: number): boolean => streams.some(({ writableLength }) => writableLength > bytes);

  function hold(): void {
    isHeld = true;
    timer = clock.setTimeout(() => {
      isStuck = true;
      goOn();
    }, HELD_MS);
  }

  function goOn(): void {
    clock.clearTimeout(timer);
    isHeld = false;
    resume();
  }

  function tellLeftOut(): void {
    const text =
      `${leftOut} pieces of what the agents printed were left out: the output of the process is not read, or too slowly, ` +
      `and ${MOST_BYTES / 1024 / 1024} MiB of it wait`;
    leftOut = 0;
    warn(text);
  }

  for (const stream of streams) {
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    stream.write = ((...args: unknown[]): boolean => {
      if (stream.writableLength > MOST_BYTES) {
        leftOut += 1;
        if (leftOut === 1) clock.setTimeout(tellLeftOut, TOLD_MS);
        const written = args.at(-1);
        if (typeof written === 'function') queueMicrotask(written as () => void);
        return false;
      }
      const isTaken = write(...args);
      if (!isHeld && !isStuck && stream.writableLength > HELD_BYTES) hold();
      return isTaken;
    }) as Writable['write'];
    stream.on('drain', () => {
      if (isOver(HELD_BYTES)) return;
      isStuck = false;
      if (isHeld) goOn();
    });
  }

  return {
    get held() {
      return isHeld;
    },
  };
}
