import { parentPort, workerData } from 'node:worker_threads';
import { loadForGateway } from '../config/load.ts';
import { optionsOf } from '../gateway/options-module.ts';
import type { DoctorFinding } from './finding.ts';
import { secretFindings } from './secrets.ts';
import { databaseFindings } from './store.ts';

const { file } = workerData as { readonly file: string };

/** The options are loaded here, and what they have running ends with this thread. */
async function found(): Promise<DoctorFinding[]> {
  const config = await loadForGateway(file);
  try {
    const { providers, capabilities } = await optionsOf(config, file);
    const message = 'the module of gateway.options can be loaded';
    const options = { ...(providers && { providers }), ...(capabilities && { capabilities }) };
    return [
      { checkId: 'options', severity: 'ok', message },
      ...(await databaseFindings(config, providers)),
      ...(await secretFindings(file, config, options)),
    ];
  } catch (error) {
    const fix = 'fix the module, or correct gateway.options; a gateway does not start without it';
    return [{ checkId: 'options', severity: 'error', message: (error as Error).message, fix }];
  }
}

parentPort?.postMessage(await found());
