import { HoldfastError } from '../base/errors.ts';
import { isLoopback } from '../base/loopback.ts';

/** What nodes show each other, as PEM texts: each its own certificate, which the same authority has signed. */
export interface ClusterTls {
  /** The certificates of who may sign for nodes. Whoever has a certificate of theirs is a node. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * Whether a link may be plain: only between processes of one machine.
 *
 * @throws {HoldfastError} `CLUSTER_PLAIN`
 */
export function assertLinkIsSafe(hosts: readonly string[], tls: ClusterTls | undefined): void {
  const outside = tls === undefined ? hosts.find((host) => !isLoopback(host)) : undefined;
  if (outside === undefined) return;
  throw new HoldfastError(
    'CLUSTER_PLAIN',
    `a node is reached over a network (${outside}), and there is no tls: whoever reaches its port could send ` +
      'events to every agent. Give each node tls with ca, cert and key, or use loopback addresses',
  );
}
