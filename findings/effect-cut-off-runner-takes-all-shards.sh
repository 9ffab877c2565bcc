#!/usr/bin/env bash
# effect 4.1.0, `effect/cluster`.
# The health of all runners is checked by one of them, and what it sees alone is written. When that one is cut off from the others,
# while all reach the storage, it marks them unhealthy and takes their shards; they let go of them, although they were the majority.
# Seen: three runners with 100 shards each. The one that checks is cut off: it owns 300, the two others none.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund effect@4.1.0
cat >program.mjs <<'PROGRAM'
import { setTimeout } from 'node:timers/promises';
import { Effect, Layer, Logger, Option } from 'effect';
import { MessageStorage, RunnerAddress, RunnerHealth, RunnerStorage, Runners, Sharding, ShardingConfig } from 'effect/cluster';
import * as MachineId from 'effect/cluster/MachineId';

const ports = [1, 2, 3];
const runners = new Map();
const locks = new Map();
/** The port of the runner that reaches nobody and is reached by nobody; all reach the storage. */
let cutOff;
let machines = 0;
const owned = (port) => [...locks.values()].filter((owner) => owner === port).length;
const checked = new Set();

const storage = RunnerStorage.RunnerStorage.of({
  getRunners: Effect.sync(() => [...runners.values()]),
  register: (runner, healthy) =>
    Effect.sync(() => {
      runners.set(runner.address.port, [runner, healthy]);
      return MachineId.make(++machines);
    }),
  unregister: ({ port }) => Effect.sync(() => runners.delete(port)),
  setRunnerHealth: ({ port }, healthy) => Effect.sync(() => runners.set(port, [runners.get(port)[0], healthy])),
  acquire: ({ port }, shards) =>
    Effect.sync(() => {
      const free = [...shards].filter((shard) => (locks.get(String(shard)) ?? port) === port);
      for (const shard of free) locks.set(String(shard), port);
      return free;
    }),
  refresh: ({ port }, shards) => Effect.sync(() => [...shards].filter((shard) => locks.get(String(shard)) === port)),
  release: ({ port }, shard) => Effect.sync(() => locks.get(String(shard)) === port && locks.delete(String(shard))),
  releaseAll: ({ port }) =>
    Effect.sync(() => {
      for (const [shard, owner] of locks) if (owner === port) locks.delete(shard);
    }),
});

function runner(port) {
  const health = RunnerHealth.RunnerHealth.of({
    isAlive: (other) =>
      Effect.sync(() => {
        checked.add(port);
        return other.port === port || ![port, other.port].includes(cutOff);
      }),
  });
  const config = ShardingConfig.layer({
    runnerAddress: Option.some(RunnerAddress.make('localhost', port)),
    refreshAssignmentsInterval: 500,
    runnerHealthCheckInterval: 500,
  });
  const layer = Sharding.layer.pipe(
    Layer.provide(Runners.layerNoop),
    Layer.provide(MessageStorage.layerNoop),
    Layer.provide([Layer.succeed(RunnerStorage.RunnerStorage)(storage), Layer.succeed(RunnerHealth.RunnerHealth)(health)]),
    Layer.provide(config),
  );
  Effect.runFork(Layer.launch(layer).pipe(Effect.provide(Logger.layer([]))));
}

async function until(what, isSo) {
  const deadline = Date.now() + 60_000;
  while (!isSo()) {
    if (Date.now() > deadline) {
      console.log(`not seen within a minute: ${what}`);
      process.exit(1);
    }
    await setTimeout(50);
  }
}
ports.forEach(runner);
const seen = () => ports.map((port) => owned(port));
await until('all have their shards, and one checks', () => seen().every((count) => count === 100) && checked.size > 0);
const before = seen();
[cutOff] = checked;
await until('the one that checks has all', () => owned(cutOff) === 300);
console.log(`shards before ${before.join(', ')}; once ${cutOff} is cut off ${seen().join(', ')}`);
process.exit(0);
PROGRAM
node program.mjs
