import { Worker } from 'node:worker_threads';
import { inheritedExecArgv } from '../threads/inherited-options.ts';
import type { DoctorFinding } from './finding.ts';

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./options-entry${extension}`, import.meta.url);

/** As long as the front of a gateway waits for it. */
const LOAD_MS = 60_000;

/** Loads the module of `gateway.options` as a gateway does, and reads the secrets with the providers that it brings. */
export async function optionFindings(file: string): Promise<DoctorFinding[]> {
  const execArgv = inheritedExecArgv(process.execArgv, 'thread');
  const worker = new Worker(entry, {
    workerData: { file },
    execArgv: extension === '.ts' ? [...execArgv, '-C', 'holdfast-source'] : execArgv,
    stdout: true,
    stderr: true,
  });
  let deadline: NodeJS.Timeout | undefined;
  try {
    return await new Promise<DoctorFinding[]>((resolve) => {
      const fail = (why: string): void => {
        const message = `the module of gateway.options cannot be loaded: ${why}`;
        const fix = 'fix the module; see that what it waits for while it is imported comes';
        resolve([{ checkId: 'options', severity: 'error', message, fix }]);
      };
      worker.once('message', resolve);
      worker.once('error', (error: Error) => fail(error.message));
      worker.once('exit', (code) => setImmediate(fail, `it ended the process (exit code ${code})`));
      deadline = setTimeout(fail, LOAD_MS, `it was not loaded within ${LOAD_MS} ms`);
    });
  } finally {
    clearTimeout(deadline);
    await worker.terminate();
  }
}
