/** One handled event. */
export interface Entry {
  readonly n: number;
  readonly incarnation: number;
  /** The thread had been used by another pool before. */
  readonly stranger: boolean;
}

/** A log in shared memory: what a thread wrote is there after the thread has died in the middle of a turn. */
export interface Log {
  add(entry: Entry): void;
  read(): Entry[];
}

const FIELDS = 3;
const CAPACITY = 4096;

export function createLog(): SharedArrayBuffer {
  return new SharedArrayBuffer((1 + FIELDS * CAPACITY) * Int32Array.BYTES_PER_ELEMENT);
}

export function openLog(buffer: SharedArrayBuffer): Log {
  const words = new Int32Array(buffer);
  return {
    add({ n, incarnation, stranger }) {
      const at = 1 + FIELDS * Atomics.add(words, 0, 1);
      Atomics.store(words, at, n);
      Atomics.store(words, at + 1, incarnation);
      Atomics.store(words, at + 2, stranger ? 1 : 0);
    },
    read() {
      return Array.from({ length: Atomics.load(words, 0) }, (_, i) => {
        const at = 1 + FIELDS * i;
        return {
          n: Atomics.load(words, at),
          incarnation: Atomics.load(words, at + 1),
          stranger: Atomics.load(words, at + 2) === 1,
        };
      });
    },
  };
}
