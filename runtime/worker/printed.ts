import type { Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';

/** The bytes waiting in one stream above which the instances of the thread wait for the host to take them. */
const HELD_BYTES = 1024 * 1024;
/** The longest such wait, in milliseconds: the reader of the output may have gone for good. */
const HELD_MS = 1000;
/** The most bytes that wait in one stream; what is printed beyond that is left out. */
const MOST_BYTES = 16 * 1024 * 1024;
/** Milliseconds until a line says how much was left out: as for lines of the log. */
const TOLD_MS = 30_000;

export interface PrintedOptions {
  readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>;
  readonly warn: (message: string) => void;
  /** Lets the instances go on. */
  readonly resume: () => void;
}

/** The output of a thread, within bounds. */
export interface Printed {
  /** Whether so much output waits for the host that the instances wait too. */
  readonly held: boolean;
}

/**
 * Bounds the part of a thread's output that waits in its own memory while the host does not take it: the instances
 * wait a moment, then what they print is left out and counted, as a flood of log lines is.
 */
export function boundPrinted(streams: readonly Writable[], { clock, warn, resume }: PrintedOptions): Printed {
  let timer: unknown;
  let isHeld = false;
  /** The instances have waited in vain, and do not wait again until all of it is taken. */
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
