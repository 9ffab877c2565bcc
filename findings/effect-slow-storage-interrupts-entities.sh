#!/usr/bin/env bash
# effect 4.1.0, `effect/cluster`.
# A runner refreshes the locks of its shards each `shardLockRefreshInterval`, and gives a refresh no longer than that. When the
# storage takes longer, the runner interrupts all its entities, although its locks hold for `shardLockExpiration` and nobody else
# wants them. What an entity was doing is lost, a call of a model too.
# Seen: refreshed each 2 s, locked for 30 s, one runner alone; the storage takes 2.5 s for 6 s. All 20 entities are interrupted,
# and all 300 locks are still the runner's.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund effect@4.1.0
cat >program.mjs <<'PROGRAM'
import { Effect, Layer, Logger, Option, Schema } from 'effect';
import { Entity, MessageStorage, RunnerAddress, RunnerHealth, RunnerStorage, Runners, Sharding, ShardingConfig } from 'effect/cluster';
import * as MachineId from 'effect/cluster/MachineId';
import * as Rpc from 'effect/rpc/Rpc';

const refreshMs = 2000;
const expirationMs = 30_000;
let slowMs = 0;
const locks = new Map();
const slowly = (does) => Effect.suspend(() => (slowMs > 0 ? Effect.delay(Effect.sync(does), slowMs) : Effect.sync(does)));
const ownOf = (address, shards) => [...shards].filter((shard) => locks.get(String(shard)) === String(address));
let runners = [];
const storage = RunnerStorage.RunnerStorage.of({
  getRunners: Effect.sync(() => runners),
  register: (runner, healthy) =>
    Effect.sync(() => {
      runners = [[runner, healthy]];
      return MachineId.make(1);
    }),
  unregister: () => Effect.void,
  setRunnerHealth: () => Effect.void,
  acquire: (address, shards) =>
    slowly(() => {
      for (const shard of shards) locks.set(String(shard), String(address));
      return ownOf(address, shards);
    }),
  refresh: (address, shards) => slowly(() => ownOf(address, shards)),
  release: (_, shard) => Effect.sync(() => locks.delete(String(shard))),
  releaseAll: () => Effect.sync(() => locks.clear()),
});

let interrupted = 0;
const Agent = Entity.make('Agent', [Rpc.make('Work', { success: Schema.Void })]);
const works = Agent.toLayer(
  Agent.of({
    Work: () => Effect.never.pipe(
        Effect.onInterrupt(() =>
          Effect.sync(() => {
            interrupted += 1;
          }),
        ),
      ),
  }),
);
const config = ShardingConfig.layer({
  runnerAddress: Option.some(RunnerAddress.make('localhost', 1)),
  shardLockRefreshInterval: refreshMs,
  shardLockExpiration: expirationMs,
});
const cluster = Sharding.layer.pipe(
  Layer.provideMerge(Runners.layerNoop),
  Layer.provideMerge(MessageStorage.layerNoop),
  Layer.provide([Layer.succeed(RunnerStorage.RunnerStorage)(storage), RunnerHealth.layerNoop]),
  Layer.provide(config),
);
const main = Effect.gen(function* () {
  const client = yield* (yield* Sharding.Sharding).makeClient(Agent);
  yield* Effect.sleep(3000);
  for (let n = 0; n < 20; n++) yield* Effect.forkDetach(client(String(n)).Work());
  yield* Effect.sleep(3000);
  const before = interrupted;
  slowMs = refreshMs + 500;
  yield* Effect.sleep(6000);
  slowMs = 0;
  console.log(`of 20 entities at work interrupted before ${before}, after ${interrupted}; locks held ${locks.size}`);
  return before === 0 && interrupted === 20 && locks.size === 300;
});
const isSo = await Effect.runPromise(
  main.pipe(Effect.provide(works.pipe(Layer.provideMerge(cluster))), Effect.provide(Logger.layer([]))),
);
process.exit(isSo ? 0 : 1);
PROGRAM
node program.mjs
