import { createHash } from 'node:crypto';

/** The partitions that addresses are divided into: a store that several nodes share is divided by this number for good. */
export const PARTITIONS = 64;

/** The partition of an address, from 0. A store in PostgreSQL computes the same. */
export function partitionOf(address: string): number {
  const [first = 0] = createHash('sha256').update(address).digest();
  return first % PARTITIONS;
}
