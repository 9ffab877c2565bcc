import { PgClient } from '@effect/sql-pg';
import { Cause, Effect, Exit, Layer, Logger, ManagedRuntime, Option, Redacted, References } from 'effect';
import {
  MessageStorage,
  RunnerAddress,
  RunnerHealth,
  Runners,
  RunnerStorage,
  Sharding,
  ShardingConfig,
  SqlRunnerStorage,
} from 'effect/cluster';
import type { Logger as OurLogger } from '../../base/logger.ts';
import { PARTITIONS } from '../../base/partition.ts';
import type { PostgresConnection } from '../../store/postgres/postgres-access.ts';

export interface ShardingOptions {
  /** What a connection is made with; asked for again for each, since passwords change. */
  readonly connect: () => Promise<PostgresConnection>;
  /** The schema of the store. */
  readonly schema: string;
  readonly host: string;
  readonly port: number;
  /** Whether locks are rows instead of locks of sessions: for a pooler between. */
  readonly rowLocks: boolean;
  readonly lockMs: number;
  readonly everyMs: number;
  readonly log: OurLogger;
  /** Whether the node there is alive. */
  readonly isAlive: (host: string, port: number) => boolean;
  /** This node has the lock of the partition from now on. */
  readonly give: (partition: number) => void;
  /** It has it as long as this has not settled. `isUnkept`: since the lock could not be kept, and not since another is to have it. */
  readonly takeBack: (partition: number, isUnkept: boolean) => Promise<void>;
}

/** Effect's cluster on this node. */
export interface OpenedSharding {
  /** Tells all nodes that this one is dead, so that it gets no partitions. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Of tables and locks. Whatever has this prefix in a database is one cluster; the point makes the first part a schema.
 */
const prefixOf = (schema: string): string => `${schema}.effect`;

/** One that has the locks, one for the rest, and one for when the first is replaced. */
const CONNECTIONS = 3;

async function sqlOf({ connect }: Pick<ShardingOptions, 'connect'>) {
  const { user, password, application_name, ...at } = await connect();
  let known = password;
  const latest = async (): Promise<Redacted.Redacted> => {
    // What cannot be read now was right before: an error here would end Effect, and is told by the store.
    known = await connect().then(
      (read) => read.password,
      () => known,
    );
    return Redacted.make(known ?? '');
  };
  return PgClient.layer({
    host: at.host ?? 'localhost',
    port: at.port,
    database: at.database,
    ssl: at.ssl,
    username: user,
    password: password === undefined ? undefined : Effect.promise(latest),
    applicationName: application_name,
    maxConnections: CONNECTIONS,
    connectTimeout: '5 seconds',
    // What is prepared is not there behind a pooler.
    prepare: false,
  });
}

/** Where Effect's logs go: to ours, and nowhere else. It counts and traces nothing for anybody. */
function quietly(log: OurLogger) {
  const ours = Logger.make<unknown, void>(({ message, logLevel, cause }) => {
    const text = `the cluster: ${[message].flat().map(String).join(' ')}`;
    const fields = cause.reasons.length === 0 ? {} : { error: Cause.squash(cause) };
    if (logLevel === 'Fatal' || logLevel === 'Error' || logLevel === 'Warn') log.warn(fields, text);
    else if (logLevel === 'Info') log.info(fields, text);
    else log.debug(fields, text);
  });
  return Layer.mergeAll(Logger.layer([ours]), Layer.succeed(References.TracerEnabled, false));
}

/** Makes Effect's tables where there are none. */
export async function migrateSharding(
  options: Pick<ShardingOptions, 'connect' | 'schema' | 'log'>,
): Promise<void> {
  const sql = await sqlOf(options);
  const layer = SqlRunnerStorage.layerMigrations({ prefix: prefixOf(options.schema) }).pipe(
    Layer.provide(sql),
    Layer.provide(quietly(options.log)),
  );
  const runtime = ManagedRuntime.make(layer);
  try {
    await runtime.runPromise(Effect.void);
  } finally {
    await runtime.dispose();
  }
}

/**
 * Joins the cluster. A partition is a shard, and on each shard lies one singleton: Effect starts it where it has the lock of the
 * shard, by itself, and releases that only when the singleton has ended. So nothing has to be sent to keep a partition alive.
 */
export async function openSharding(options: ShardingOptions): Promise<OpenedSharding> {
  const { host, port, schema, lockMs, everyMs, log, isAlive, give, takeBack } = options;
  const sql = await sqlOf(options);
  /** Shards whose locks could not be kept at the last try; undefined: it failed for all. */
  let unkept: ReadonlySet<number> | undefined = new Set();
  const storage = Layer.effect(RunnerStorage.RunnerStorage)(
    Effect.map(RunnerStorage.RunnerStorage, (stored) =>
      RunnerStorage.RunnerStorage.of({
        ...stored,
        refresh: (address, shards) => {
          const tried = [...shards].map(({ id }) => id);
          return stored.refresh(address, shards).pipe(
            Effect.onExit((exit) =>
              Effect.sync(() => {
                const kept = Exit.isSuccess(exit) ? new Set(exit.value.map(({ id }) => id)) : undefined;
                unkept = kept && new Set(tried.filter((id) => !kept.has(id)));
              }),
            ),
          );
        },
      }),
    ),
  ).pipe(Layer.provide(SqlRunnerStorage.layerStorage({ prefix: prefixOf(schema) })));
  const health = Layer.succeed(
    RunnerHealth.RunnerHealth,
    RunnerHealth.RunnerHealth.of({ isAlive: (at) => Effect.sync(() => isAlive(at.host, at.port)) }),
  );
  const config = ShardingConfig.layer({
    runnerAddress: Option.some(RunnerAddress.make(host, port)),
    shardsPerGroup: PARTITIONS,
    shardLockExpiration: lockMs,
    // The most that Effect takes: a stall that is shorter ends nothing.
    shardLockRefreshInterval: lockMs / 3,
    shardLockDisableAdvisory: options.rowLocks,
    refreshAssignmentsInterval: everyMs,
    runnerHealthCheckInterval: everyMs,
    // How soon it tries again to take locks after an error.
    entityMessagePollInterval: everyMs,
    simulateRemoteSerialization: false,
  });
  const partitions = Layer.effectDiscard(
    Effect.gen(function* () {
      const sharding = yield* Sharding.Sharding;
      for (let partition = 0; partition < PARTITIONS; partition++)
        yield* sharding.registerSingleton(
          nameOn(sharding, partition),
          Effect.acquireRelease(
            Effect.sync(() => give(partition)),
            () => Effect.promise(() => takeBack(partition, unkept?.has(partition + 1) !== false)),
          ),
        );
    }),
  );
  const layer = partitions.pipe(
    Layer.provide(Sharding.layer),
    Layer.provide(Runners.layerNoop),
    Layer.provide(MessageStorage.layerNoop),
    Layer.provide(health),
    Layer.provideMerge(storage),
    Layer.provide(config),
    Layer.provide(sql),
    Layer.provide(quietly(log)),
  );
  const runtime = ManagedRuntime.make(layer);
  try {
    await runtime.runPromise(Effect.void);
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
  return {
    leave: () =>
      runtime.runPromise(
        Effect.flatMap(RunnerStorage.RunnerStorage, (stored) =>
          stored.setRunnerHealth(RunnerAddress.make(host, port), false),
        ),
      ),
    close: () => runtime.dispose(),
  };
}

/** A name that Effect puts on the shard of a partition, whatever its hash is. */
function nameOn(sharding: Sharding.Sharding['Service'], partition: number): string {
  for (let i = 0; ; i++) {
    const name = `partition/${partition}/${i}`;
    if (sharding.getShardId(name as never, 'default').id === partition + 1) return name;
  }
}
