const reasons = [
  'mailbox-full',
  'unclonable',
  'too-large',
  'secret',
  'reserved',
  'invalid',
  'expired',
  'stopped',
  'poison',
  'crashed',
  'stale-incarnation',
  'unknown-address',
] as const;

/** Why an envelope was not handled. */
export type DeadLetterReason = (typeof reasons)[number];

export function isDeadLetterReason(reason: unknown): reason is DeadLetterReason {
  return (reasons as readonly unknown[]).includes(reason);
}
