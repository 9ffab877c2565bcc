/** The most chunks of a stream that its reader has not taken: what comes of one wake-up, and no more than a screenful. */
export const WINDOW_CHUNKS = 64;

/** The most bytes of them, as estimated; the last chunk may go beyond it. Four times what Node's pipes keep. */
export const WINDOW_BYTES = 256 * 1024;

/** The most bytes of one chunk, as estimated: as much as an event may have by default. */
export const LARGEST_CHUNK = 1024 * 1024;

/** The most bytes of chunks that wait in their thread because nobody waits for their writes: sixteen of the largest. */
export const MOST_UNSENT = 16 * LARGEST_CHUNK;

/** What a chunk that waits takes beside its bytes: its place, and the promise of its write. */
export const UNSENT_CHUNK = 256;
