import type { AnyActorLogic } from 'xstate';
import type { AgentRef } from 'holdfast';
import { createTestRuntime } from 'holdfast/testing';
import { EVENTS } from './chart.ts';
import type { Place } from './run-scenario.ts';
import { describeError, see, type Observed, type Persisted, withoutOrphans } from './trace.ts';

export interface AgentPlace extends Place {
  close(): Promise<void>;
}

export interface AgentPlaceOptions {
  /** Worker threads, or all in this one. */
  readonly threads: boolean;
  /** Every state is mirrored, as a plain actor shows every state. */
  readonly mirror?: 'all' | 'latest';
}

/** Agents of one runtime, all in one thread; one chart after the other. */
export async function agentPlace({ threads, mirror = 'all' }: AgentPlaceOptions): Promise<AgentPlace> {
  const common = {
    type: 'thread-bound' as const,
    threadId: 'stage',
    maxThreads: 1,
    module: new URL('./agents/generated.ts', import.meta.url),
  };
  const agents = {
    manager: { ...common, export: 'manager' },
    // What failed has failed.
    chart: { ...common, export: 'machine', mirror, supervision: { restart: 'temporary' as const } },
  };
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const runtime = await createTestRuntime({ agents }, { threads, logger });
  const manager = (await runtime.spawn('manager')) as AgentRef;
  return {
    async load(chart) {
      await manager.ask({ type: 'load', chart });
      return runtime.logic('chart') as AnyActorLogic;
    },
    options: {},
    async spawn({ input, snapshot }) {
      const envelope = { v: 1 as const, address: 'chart/before', at: 0, snapshot };
      const ref = await runtime.spawn('chart', snapshot === undefined ? { input } : { snapshot: envelope });
      return ref as unknown as Observed;
    },
    advance: (ms) => runtime.clock.advance(ms),
    settled: () => runtime.settled(),
    async ask(actor) {
      const ref = actor as unknown as AgentRef;
      const can: Record<string, unknown> = {};
      const [snapshot, persisted] = await Promise.all([
        ref.snapshot(),
        ref.persist().then(
          ({ snapshot }): Persisted => ({ value: withoutOrphans(snapshot) }),
          (error): Persisted => ({ error: describeError(error) }),
        ),
        ...EVENTS.map(async (type) => {
          can[type] = await ref.can({ type, n: 2 }).catch(describeError);
        }),
      ]);
      return { seen: see(snapshot), can, persisted };
    },
    async stop(actor) {
      await actor.stop();
    },
    close: () => runtime.stop(),
  };
}
