/// <reference types="node" preserve="true" />
export {
  cluster,
  type ClusterLinkOptions,
  type ClusterOptions,
  type EffectClusterOptions,
  type StaticClusterOptions,
} from './cluster.ts';
export type { ClusterTls } from './link-tls.ts';
export type { PostgresTls } from '../store/postgres/postgres-access.ts';
export { postgresStore, type PostgresStoreOptions } from '../store/postgres/postgres-store.ts';
export type { Cluster } from '../system/cluster.ts';
export type { ClusterStatus, NodeStatus } from '../telling/status.ts';
