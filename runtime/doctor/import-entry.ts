import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadData } from '../wire/protocol.ts';
import { loadLogic } from '../worker/load-logic.ts';
import { lockdown } from '../worker/lockdown.ts';

/** What a thread that imports the modules of a pool is born with. */
export type ImportData = Pick<ThreadData, 'isolation'> & {
  readonly agents: readonly { readonly name: string; readonly url: string; readonly export: string }[];
};

const { agents, ...data } = workerData as ImportData;
lockdown(data);
for (const agent of agents) {
  try {
    await loadLogic(agent.url, agent.export, agent.name);
    parentPort?.postMessage([agent.name]);
  } catch (error) {
    parentPort?.postMessage([agent.name, (error as Error).message]);
  }
}
