import { Worker } from 'node:worker_threads';
import type { LoadedConfig, ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import { modulesOf } from '../isolation/report.ts';
import { workerOptions } from '../threads/worker-options.ts';
import type { DoctorFinding } from './finding.ts';
import type { ImportData } from './import-entry.ts';

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./import-entry${extension}`, import.meta.url);

/** Imports the modules of all agents, each in a thread as those of its pool are; no agent is started. */
export async function moduleFindings(
  config: Pick<LoadedConfig, 'agents' | 'pools'>,
): Promise<DoctorFinding[]> {
  const findings: DoctorFinding[] = [];
  for (const pool of config.pools) {
    const agents = config.agents.filter(({ threadId }) => threadId === pool.threadId);
    const failures = await imports(pool, agents, modulesOf(config, pool.threadId));
    for (const { name } of agents) {
      const failure = failures.get(name);
      if (failure === undefined)
        findings.push({ checkId: 'module', severity: 'ok', message: `${name} can be imported in a thread` });
      else {
        const fix =
          'fix the module; what it needs when it is imported must be available in a thread of its pool';
        findings.push({ checkId: 'module', severity: 'error', message: failure, fix });
      }
    }
  }
  return findings;
}

/** Why those that cannot be imported cannot, by their names. */
async function imports(
  pool: ResolvedPool,
  agents: readonly ResolvedAgent[],
  modules: readonly string[],
): Promise<Map<string, string>> {
  const failures = new Map<string, string>();
  const left = new Set(agents.map(({ name }) => name));
  const data: ImportData = {
    isolation: pool.isolation,
    agents: agents.map(({ name, moduleUrl, exportName }) => ({ name, url: moduleUrl, export: exportName })),
  };
  const options = workerOptions(pool, 'holdfast:doctor', modules, entry);
  const worker = new Worker(entry, { ...options, stdout: true, stderr: true, workerData: data });
  let why = 'its thread ended while it was imported';
  worker.on('message', ([name, failure]: [string, string?]) => {
    left.delete(name);
    if (failure !== undefined) failures.set(name, failure);
    // What a module has running may keep its thread.
    if (left.size === 0) void worker.terminate();
  });
  worker.on('error', (error: Error) => (why = error.message));
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const deadline = setTimeout(() => {
    why = `it was not imported within ${pool.startTimeoutMs} ms`;
    void worker.terminate();
  }, pool.startTimeoutMs);
  await exited;
  clearTimeout(deadline);
  for (const name of left) failures.set(name, `${name}: ${why}`);
  return failures;
}
