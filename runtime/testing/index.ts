export type { Fault, Faults } from './faults.ts';
export type { Expected, Probe } from './probe.ts';
export type { KillCause } from './test-thread.ts';
export {
  createTestRuntime,
  type TestClock,
  type TestRuntime,
  type TestRuntimeOptions,
} from './test-runtime.ts';
