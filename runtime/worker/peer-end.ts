/** The end of an incarnation; see `StopReason` of the host. */
export interface PeerEnd {
  readonly address: string;
  /** The incarnation; 0 when no instance runs at the address. */
  readonly incarnation: number;
  readonly reason: string;
}
