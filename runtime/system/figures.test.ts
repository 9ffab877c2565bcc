import { isDeepStrictEqual } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import type { AgentRef } from 'holdfast';
import { memoryDurableStore } from 'holdfast/testing';
import { fixture, nextEvent } from '../fixtures/start.ts';
import { openRuntime, type Surroundings } from '../runtime.ts';
import { agentFigures } from '../telemetry/agent-figures.ts';

type System = Parameters<NonNullable<Surroundings['onSystem']>>[0];

it.each([
  ['whose agents outlive it', memoryDurableStore()],
  ['whose agents do not', undefined],
])(
  'the figures of a runtime %s are those of its status, whatever becomes of an instance',
  async (_, store) => {
    const supervision = {
      intensity: { restarts: 1, withinMs: 600_000 },
      backoff: { minMs: 60_000, maxMs: 60_000 },
    };
    const silent = { debug() {}, info() {}, warn() {}, error() {} };
    const opened: System[] = [];
    const runtime = await openRuntime(
      {
        agents: {
          resting: fixture('resting', { maxThreads: 2 }),
          failing: fixture('resting', { threadId: 'failing', supervision }),
        },
        threads: { pool: { maxResident: 3 } },
      },
      { ...(store && { store }), logger: silent },
      { onSystem: (system) => void opened.push(system) },
    );
    onTestFinished(() => runtime.stop());
    const [system] = opened as [System];
    const states: unknown[] = [];
    const sorted = <T extends { readonly agent: string }>(all: readonly T[]): T[] =>
      all.toSorted((a, b) => a.agent.localeCompare(b.agent));
    const look = (): void => {
      let [figures, instances] = [system.figures().agents, runtime.status().instances];
      // A thread may count between two looks.
      for (let again; !isDeepStrictEqual(figures, (again = system.figures().agents)); figures = again)
        instances = runtime.status().instances;
      expect(sorted(figures)).toEqual(agentFigures(sorted(instances)));
      states.push(...figures.flatMap((one) => Object.keys(one.states)));
    };
    runtime.on('agent', look);
    const becomes = (wanted: string) =>
      nextEvent<{ readonly state: string }>(
        (listener) => runtime.on('agent', listener),
        ({ state }) => state === wanted,
      );
    const count = (ref: AgentRef): Promise<unknown> => ref.ask({ type: 'count' });

    const refs = await Promise.all(['a', 'b', 'c'].map((id) => runtime.spawn('resting', { id })));
    const [a, b] = refs as [AgentRef, AgentRef];
    look();
    a.send({ type: 'count' });
    b.send({ type: 'count' });
    look();
    await a.deliver({ type: 'tell', to: b.address });
    await count(b);
    look();
    const comes = runtime.spawn('resting', { id: 'd' });
    look();
    await comes;
    look();
    expect(await count(a)).toBe(2);
    look();

    const failing = await runtime.spawn('failing', { id: 'a' });
    const restarts = becomes('restarting');
    failing.send({ type: 'fail' });
    failing.send({ type: 'count' });
    look();
    await restarts;
    look();
    const other = await runtime.spawn('failing', { id: 'b' });
    look();
    const stops = other.stop();
    look();
    await stops;
    look();
    await failing.stop();
    look();
    const b2 = await runtime.getOrSpawn('resting', 'b');
    const stopped = b2.stop();
    look();
    await stopped;
    for (const id of ['a', 'c', 'd']) await runtime.get(`resting/${id}`)?.stop();
    look();
    expect(states).toEqual(expect.arrayContaining(['running', 'restarting', 'stopping']));
  },
);
