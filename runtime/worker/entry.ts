import { workerData } from 'node:worker_threads';
import type { ThreadData } from '../wire/protocol.ts';
import { lockdown } from './lockdown.ts';
import { startThread } from './thread.ts';

lockdown(workerData as ThreadData);
startThread(workerData as ThreadData);
