import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadData } from '../wire/protocol.ts';
import { type LoadedAgent, loadLogic } from '../worker/load-logic.ts';
import { lockdown } from '../worker/lockdown.ts';
import { type KeptState, tryRestore } from '../worker/restore-trial.ts';

/** What a thread that tries states is born with: the agents of its pool. */
export type StatesData = Pick<ThreadData, 'isolation'> & {
  readonly agents: Readonly<
    Record<string, { readonly url: string; readonly export: string; readonly maxIterations: number }>
  >;
};

/** A state to try, of an agent. */
export type StateToTry = KeptState & { readonly agent: string };

/** What came of it: the parts that would not run, or the reason why it cannot be restored. */
export type TriedState =
  | { readonly parts: readonly string[] }
  | { readonly code?: string | undefined; readonly message: string };

const { agents, ...data } = workerData as StatesData;
lockdown(data);
const loaded = new Map<string, Promise<LoadedAgent>>();

parentPort?.on('message', (state: StateToTry) => {
  void tried(state).then((found) => parentPort?.postMessage(found));
});

async function tried(state: StateToTry): Promise<TriedState> {
  try {
    const { agent } = state;
    const { url, export: name, maxIterations } = agents[agent] as StatesData['agents'][string];
    const loading = loaded.get(agent) ?? loadLogic(url, name, agent);
    loaded.set(agent, loading);
    return { parts: tryRestore(state, await loading, maxIterations) };
  } catch (error) {
    if (!(error instanceof Error)) return { message: 'something that is not an Error was thrown' };
    return { code: (error as { code?: string }).code, message: error.message };
  }
}
