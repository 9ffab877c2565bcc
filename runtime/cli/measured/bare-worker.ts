import { parentPort } from 'node:worker_threads';

/** A worker as a program without a library would write it: answers each number with itself. */
parentPort?.on('message', (n: number) => parentPort?.postMessage(n));
