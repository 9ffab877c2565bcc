import type { StopReason } from '../base/endings.ts';

/**
 * What becomes of the envelope that was in hand at an end: a `poison` letter, with the evidence. Nothing is suspected of
 * what was in hand when the runtime itself ended the thread.
 */
export function suspicion<T extends { readonly cause: StopReason }>(
  evidence: T,
): { readonly reason: 'poison'; readonly evidence: T } | { readonly reason: 'crashed' } {
  const byItself = evidence.cause !== 'stopped' && evidence.cause !== 'shutdown';
  return byItself ? { reason: 'poison', evidence } : { reason: 'crashed' };
}
