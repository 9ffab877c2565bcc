import { workerData } from 'node:worker_threads';
import type { ThreadData } from '../wire/protocol.ts';
import { startThread } from './thread.ts';

startThread(workerData as ThreadData);
