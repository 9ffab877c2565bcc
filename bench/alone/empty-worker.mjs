// A worker that can answer, and nothing else.
import { parentPort } from 'node:worker_threads';

parentPort.on('message', () => parentPort.postMessage('hello'));
