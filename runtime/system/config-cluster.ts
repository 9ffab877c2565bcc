import type { ClusterConfig } from '../config/cluster-schema.ts';
import { pemsOf } from './pem-files.ts';

/**
 * What `cluster()` takes, of what a config says.
 *
 * @throws {HoldfastError} `CONFIG_INVALID` when a file of `tls` cannot be read
 */
export async function clusterOptions({ tls, ...rest }: ClusterConfig) {
  return tls === undefined ? rest : { ...rest, tls: await pemsOf(tls, 'cluster.tls', 'CONFIG_INVALID') };
}
