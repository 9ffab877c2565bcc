import { afterAll, vi } from 'vitest';
import { asFound } from './as-found.ts';

// Runs before each file of those that share a process. What was mocked and set of Vitest's own config it puts back by itself.
const putBack = asFound();
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  putBack();
});
