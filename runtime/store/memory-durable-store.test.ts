import { describe, it } from 'vitest';
import { testDurableStore } from '../testing/durable-store-cases.ts';
import type { DurableStore } from './durable-store.ts';
import { durableMemory, memoryDurableStore, type DurableMemory } from './memory-durable-store.ts';

describe('the durable store in memory', () => {
  const memories = new WeakMap<DurableStore, DurableMemory>();
  const over = (memory = durableMemory(), hasRoom = true): DurableStore => {
    const store = memoryDurableStore(memory, { hasRoom });
    memories.set(store, memory);
    return store;
  };
  testDurableStore({
    test: it,
    create: () => over(),
    reopen: (store) => over(memories.get(store)),
    overtake: (store) => over(memories.get(store)),
    crowd: (store) => over(memories.get(store), false),
  });
});
