import { closeSync, existsSync, openSync, readSync } from 'node:fs';

/** The parts of a log of SQLite: its head, the head of a frame, and after that a page. All numbers are big-endian. */
const [HEAD_BYTES, FRAME_HEAD_BYTES] = [32, 24];
/** The last bit says in which order of bytes the checksums read what they are of. */
const MAGIC = 0x37_7f_06_82;

/**
 * What is wrong with a log. `frame`: the first that is not as it was written, from 1; 0: the head. `isCertain`: commits
 * came after it, so that it is not the one that a loss of power cut off.
 */
export interface LogDamage {
  readonly frame: number;
  readonly isCertain: boolean;
}

/**
 * Looks at the log of a store that nobody writes. SQLite reads it up to the first frame that does not fit its checksum, and
 * takes that for its end: commits behind a bit that has flipped would be gone without a word.
 */
export function logDamage(path: string): LogDamage | undefined {
  const log = `${path}-wal`;
  if (!existsSync(log)) return undefined;
  const file = openSync(log, 'r');
  try {
    return damageOf((buffer, at) => readSync(file, buffer, 0, buffer.byteLength, at) === buffer.byteLength);
  } finally {
    closeSync(file);
  }
}

/** `read` fills the buffer from that place, or returns false where the file is shorter. */
function damageOf(read: (buffer: DataView, at: number) => boolean): LogDamage | undefined {
  const head = view(HEAD_BYTES);
  if (!read(head, 0)) return undefined;
  const magic = head.getUint32(0);
  const pageBytes = head.getUint32(8);
  if (pageBytes < 512 || pageBytes > 65_536) return { frame: 0, isCertain: false };
  const salts = [head.getUint32(16), head.getUint32(20)] as const;
  const frameBytes = FRAME_HEAD_BYTES + pageBytes;
  const frame = view(frameBytes);
  const isOfThisLog = (): boolean => frame.getUint32(8) === salts[0] && frame.getUint32(12) === salts[1];
  const isLittle = (magic & 1) === 0;
  let sum = summed([0, 0], head, 0, 24, isLittle);
  if ((magic & ~1) !== MAGIC || !isSum(sum, head, 24)) {
    // Frames with its salts were written after it.
    return read(frame, HEAD_BYTES) && (frame.getUint32(8) === salts[0] || frame.getUint32(12) === salts[1])
      ? { frame: 0, isCertain: true }
      : undefined;
  }
  let damaged = 0;
  let isCommitted = false;
  for (let n = 1; read(frame, HEAD_BYTES + (n - 1) * frameBytes); n++) {
    if (damaged === 0) {
      const next = summed(summed(sum, frame, 0, 8, isLittle), frame, FRAME_HEAD_BYTES, pageBytes, isLittle);
      if (isOfThisLog() && isSum(next, frame, 16)) {
        sum = next;
        continue;
      }
      damaged = n;
    }
    if (!isOfThisLog()) continue;
    if (isCommitted) return { frame: damaged, isCertain: true };
    // The page count of the file stands in the last frame of a commit.
    isCommitted = frame.getUint32(4) !== 0;
  }
  return isCommitted ? { frame: damaged, isCertain: false } : undefined;
}

type Sum = readonly [number, number];

/** SQLite's checksum of words, two at a time. */
function summed([a, b]: Sum, of: DataView, from: number, bytes: number, isLittle: boolean): Sum {
  let [s, t] = [a, b];
  for (let at = from; at < from + bytes; at += 8) {
    s = (s + of.getUint32(at, isLittle) + t) >>> 0;
    t = (t + of.getUint32(at + 4, isLittle) + s) >>> 0;
  }
  return [s, t];
}

function isSum([s, t]: Sum, of: DataView, at: number): boolean {
  return of.getUint32(at) === s && of.getUint32(at + 4) === t;
}

function view(bytes: number): DataView {
  return new DataView(new ArrayBuffer(bytes));
}

/** Milliseconds before a second look: somebody may be writing. */
const AGAIN_MS = 50;

/** As {@link logDamage}, of a log that somebody may be writing. */
export function lastingLogDamage(path: string): LogDamage | undefined {
  const first = logDamage(path);
  if (first === undefined) return undefined;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
  const second = logDamage(path);
  return second?.frame === first.frame ? second : undefined;
}

export function sayLogDamage(path: string, { frame, isCertain }: LogDamage): string {
  const where = frame === 0 ? 'its head' : `its frame ${frame}`;
  return isCertain
    ? `the log ${path}-wal is damaged in ${where}, and commits that came after it would be lost`
    : `the log ${path}-wal is not whole from ${where} on: its last commit is left out, as after a loss of power`;
}
