import { start as startPiscina } from './piscina.mjs';

// The setting its manual names for many small tasks.
export const start = (threads) => startPiscina(threads, { concurrentTasksPerWorker: 64 });
