import { startControlled } from './thread-control.ts';

startControlled();
