import { workerData } from 'node:worker_threads';
import type { ThreadData } from '../wire/protocol.ts';
import { lockdown } from '../worker/lockdown.ts';
import { startControlled } from './thread-control.ts';

lockdown(workerData as ThreadData);
startControlled();
