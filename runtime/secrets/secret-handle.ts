/**
 * Stands for a secret that an agent is granted. Plain data: it may live in context, be persisted, and be passed wherever a
 * label is expected. It says which version is current, never the value.
 */
export interface SecretHandle {
  readonly type: 'holdfast.secret';
  /** `secret:<instance address>/<label>`. */
  readonly handle: string;
  readonly label: string;
  /** Grows with each change of the secret while the host runs; 0: not fetched yet. */
  readonly epoch: number;
  /** Absent when no version was ever fetched. */
  readonly versionId?: string;
}

/** The name that handles and events have for the secret of an instance. */
export function handleOf(address: string, label: string): string {
  return `secret:${address}/${label}`;
}

/**
 * The label that an instance names, perhaps by a handle. A handle of another instance is no label of this one, though
 * both may use the same label for different secrets.
 */
export function labelOf(named: unknown, address: string): string {
  if (typeof named === 'string') return named;
  const { handle, label } = (named ?? {}) as { readonly handle?: unknown; readonly label?: unknown };
  if (typeof label === 'string' && handle === handleOf(address, label)) return label;
  return typeof handle === 'string' ? handle : '';
}
