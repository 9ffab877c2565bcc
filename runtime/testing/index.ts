/// <reference types="node" preserve="true" />
export type {
  MemoryCall,
  MemoryFault,
  MemoryFaultOptions,
  MemoryHangOptions,
  MemoryProvider,
  MemoryProviderOptions,
} from '../../providers/memory.ts';
export type { CommitFaultOptions, Fault, Faults } from './faults.ts';
export type { CommitStep, StoreCall, StoreFailure } from './store-faults.ts';
export {
  durableStoreCases,
  testDurableStore,
  type DurableStoreCase,
  type DurableStoreCases,
  type TestDurableStoreOptions,
} from './durable-store-cases.ts';
export { memoryDurableStore } from './memory-durable-store.ts';
export { createMemoryProvider } from './memory-provider.ts';
export type { Expected, Probe } from './probe.ts';
export {
  secretProviderCases,
  testSecretProvider,
  type SecretProviderCase,
  type SecretProviderCases,
  type SecretProviderSubject,
  type TestSecretProviderOptions,
} from './secret-provider-cases.ts';
export {
  snapshotStoreCases,
  testSnapshotStore,
  type SnapshotStoreCase,
  type SnapshotStoreCases,
  type TestSnapshotStoreOptions,
} from './snapshot-store-cases.ts';
export type { KillCause } from './test-thread.ts';
export {
  createTestRuntime,
  type TestClock,
  type TestRuntime,
  type TestRuntimeOptions,
} from './test-runtime.ts';
