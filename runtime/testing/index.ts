/// <reference types="node" preserve="true" />
export type {
  MemoryCall,
  MemoryFault,
  MemoryFaultOptions,
  MemoryHangOptions,
  MemoryProvider,
  MemoryProviderOptions,
} from '../../providers/memory.ts';
export type { Fault, Faults } from './faults.ts';
export type { StoreCall, StoreFailure } from './faulty-store.ts';
export {
  durableStoreCases,
  testDurableStore,
  type DurableStoreCase,
  type DurableStoreCases,
  type TestDurableStoreOptions,
} from './durable-store-cases.ts';
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
