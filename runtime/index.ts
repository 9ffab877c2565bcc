/// <reference types="node" preserve="true" />
export {
  failureOf,
  ProviderError,
  type DescribeResult,
  type FetchResult,
  type ProviderCapabilities,
  type ProviderFailure,
  type RotationHint,
  type SecretProvider,
  type SecretRef,
  type SecretSelector,
} from '../providers/provider.ts';
export type { AskStream } from './instance/ask-stream.ts';
export type {
  AgentRef,
  AgentRefMethods,
  EnqueueOptions,
  KeptWaitFor,
  PersistedEnvelope,
  WaitFor,
} from './instance/agent-ref.ts';
export { agent, type TypedAgentConfig } from './config/agent.ts';
export type { AgentType } from './base/agent-type.ts';
export type { AgentTypes, ConfigFileOf, ConfigOf, NotAgentTypes } from './config/agent-types.ts';
export type { AgentConfig, Supervision } from './config/agent-schema.ts';
export type { McpServerConfig } from './config/mcp-schema.ts';
export type { PoolConfig } from './config/pool-schema.ts';
export type { Grant } from './config/grant-schema.ts';
export type { RuntimeConfig } from './config/schema.ts';
export type { ExternalSecrets, ProviderConfig } from './config/secrets-schema.ts';
export type { DeadLetter, Evidence } from './dead-letters/dead-letters.ts';
export type { DeadLetterReason } from './base/dead-letter-reason.ts';
export type { EventIssue } from './base/event-issue.ts';
export { ConfigError, HoldfastError, type ConfigProblem, type HoldfastErrorCode } from './base/errors.ts';
export { transfer, type Movable } from './wire/transfer.ts';
export type { ClusterConfig, EffectClusterConfig, StaticClusterConfig } from './config/cluster-schema.ts';
export type {
  PostgresStoreConfig,
  SqliteStoreConfig,
  StoreConfig,
  StoreEncryptionConfig,
} from './config/store-schema.ts';
export type { InspectConfig } from './config/inspect-schema.ts';
export type { InspectOptions } from './inspect/inspect-options.ts';
export type { Inspector } from './inspect/stately-inspector.ts';
export type { InspectorAdapter } from './inspect/inspection-hub.ts';
export type { InspectorPage } from './inspect/local/local-inspector.ts';
export { toMermaid } from './inspect/to-mermaid.ts';
export type { Logger } from './base/logger.ts';
export type { PoolEvidence } from './threads/pool-errors.ts';
export {
  QuarantineError,
  type QuarantineEvidence,
  type RecentFailure,
  type ShownError,
} from './instance/quarantine.ts';
export type { KeptThread, Recycled } from './system/recycle.ts';
export type { Escalation, RuntimeEvents, RuntimeListener } from './telling/runtime-events.ts';
export {
  createRuntime,
  type AgentName,
  type AgentRefOf,
  type LogicOf,
  type RepliesOf,
  type Runtime,
  type RuntimeOptions,
  type SpawnArguments,
  type SpawnOptions,
  type ThreadBoundLogic,
} from './runtime.ts';
export type { AuditRecord, AuditTarget } from './secrets/audit.ts';
export { defineCapability, type Capability } from './secrets/capabilities/capability.ts';
export type { Secret } from './secrets/capabilities/secret.ts';
export type { Cluster } from './system/cluster.ts';
export type { FoundInstance } from './system/found-instance.ts';
export type { SecretEvent } from './secrets/secret-event.ts';
export type {
  CommitGroup,
  CommitResult,
  Due,
  DueList,
  DuePlace,
  DurableRecord,
  DurableStore,
  EncodedState,
  KeptId,
  KeptLetter,
  KeptStep,
  LetterPlace,
  MailboxRow,
  OpenedStore,
  StateParts,
  StoreContext,
  StoredRecord,
  StoreSize,
  TurnCommit,
} from './store/durable-store.ts';
export { memoryStore } from './store/memory-store.ts';
export type { PostgresTls } from './store/postgres/postgres-access.ts';
export { postgresStore, type PostgresStoreOptions } from './store/postgres/postgres-store.ts';
export { sqliteStore, type SqliteStoreOptions } from './store/sqlite/sqlite-store.ts';
export type { StoreEncryption } from './store/sqlite/store-encryption.ts';
export type { StoreKeyObject, StoreKeyRef, StoreKeyRefs, StoreKeys } from './store/store-keys.ts';
export type { SnapshotRecord, SnapshotStore } from './store/snapshot-store.ts';
export { toPrometheus } from './telemetry/to-prometheus.ts';
export type { PersistedTimer, TimersPolicy, TimerTarget } from './xstate/persisted-timer.ts';
export type { InspectionEvent } from './wire/inspection.ts';
export type { IncarnationEnd, StopReason } from './base/endings.ts';
export type { WatchListener } from './instance/watchers.ts';
export type {
  ClusterStatus,
  InstanceStatus,
  NodeStatus,
  PoolStatus,
  RuntimeStatus,
  SlowWork,
  ThreadStatus,
} from './telling/status.ts';
