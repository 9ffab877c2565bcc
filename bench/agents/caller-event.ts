/** What the caller does again and again, each time as a child actor. */
export type CallKind =
  /** A capability that gives back what it gets. */
  | 'echo'
  /** `sign.hmac`, by the host. */
  | 'sign'
  /** The same HMAC in the thread, which then has the key. */
  | 'own';

/** Has calls made from the thread, so many at a time; answered with a sample. */
export interface CallEvent {
  readonly type: 'run';
  readonly kind: CallKind;
  readonly inFlight: number;
  /** Text that is signed, and the signature that must come back. */
  readonly data: string;
  readonly signature: string;
}
