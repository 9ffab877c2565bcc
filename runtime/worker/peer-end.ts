/** Why an incarnation has ended; see `StopReason` of the host. */
export interface PeerEnd {
  readonly address: string;
  /** 0 when nothing runs at the address. */
  readonly incarnation: number;
  readonly reason: string;
}
