import { HoldfastError } from '../base/errors.ts';
import type { CommitResult } from './durable-store.ts';

/**
 * Why nothing of a turn was written. `fenced`: another runtime goes on with the address; `damaged`: what the store has of it
 * cannot be read; `full`: the store takes nobody new.
 */
export type Lost = 'fenced' | 'damaged' | 'full';

/** Why turns of a group were not written, by address; undefined when all were. */
export function lostIn({
  fenced,
  damaged = [],
  refused,
}: CommitResult): ReadonlyMap<string, Lost> | undefined {
  const full = refused?.addresses ?? [];
  if (fenced.length + damaged.length + full.length === 0) return undefined;
  return new Map<string, Lost>([
    ...full.map((address) => [address, 'full'] as const),
    ...damaged.map((address) => [address, 'damaged'] as const),
    ...fenced.map((address) => [address, 'fenced'] as const),
  ]);
}

export function asStoreError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const message = 'the store could not say whether a commit was written; see the cause, and check the store';
  return new HoldfastError('STORE_FAILED', message, { cause: error });
}

/** The error of a store that does not answer. */
export function silentStore(ms: number): HoldfastError {
  return new HoldfastError(
    'STORE_FAILED',
    `the store has not answered for ${Math.round(ms)} ms; see whether its disk does, and what else uses it`,
  );
}
