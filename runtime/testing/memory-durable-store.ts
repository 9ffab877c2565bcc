import type { DurableStore } from '../store/durable-store.ts';
import { memoryDurableStore as storeInMemory } from '../store/memory-durable-store.ts';

/**
 * Creates a store under every turn that keeps what it has in memory, for tests: what a runtime commits outlives
 * `restartProcess()`, and is gone with the store.
 */
export function memoryDurableStore(): DurableStore {
  return storeInMemory();
}
