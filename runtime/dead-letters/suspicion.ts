import type { StopReason } from '../base/endings.ts';

/**
 * Returns the reason of the letter for the envelope that was in hand at an end: `poison`, with the evidence, or `crashed`
 * when the runtime itself ended the thread, which makes the envelope no suspect.
 */
export function suspicion<T extends { readonly cause: StopReason }>(
  evidence: T,
): { readonly reason: 'poison'; readonly evidence: T } | { readonly reason: 'crashed' } {
  const byItself = evidence.cause !== 'stopped' && evidence.cause !== 'shutdown';
  return byItself ? { reason: 'poison', evidence } : { reason: 'crashed' };
}
