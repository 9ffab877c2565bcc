import { loadForGateway } from '../config/load.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import { ConfigError } from '../base/errors.ts';
import { tlsOf } from '../gateway/tls-files.ts';
import { mixedGrants, mixedGrantsText } from '../isolation/mixed-grants.ts';
import { isolationReport, openText } from '../isolation/report.ts';
import { isOldNode, OLDEST_NODE } from '../base/node-version.ts';
import type { DoctorFinding } from './finding.ts';
import { moduleFindings } from './modules.ts';
import { optionFindings } from './options.ts';
import { programFindings } from './programs.ts';
import { databaseFindings, storeFindings } from './store.ts';
import { clockFindings, secretFindings } from './secrets.ts';

/** Looks at everything that a start needs: Node, the config, modules, isolation, programs, secrets, the store, the clock. Starts no agent. */
export async function examine(file: string): Promise<DoctorFinding[]> {
  const node = nodeFinding(process.versions.node);
  try {
    const config = await loadForGateway(file);
    const { agents, pools } = config;
    const counted = `agents: ${agents.length}, pools: ${pools.length}`;
    return [
      node,
      { checkId: 'config', severity: 'ok', message: `the config is valid: ${counted}` },
      ...(await moduleFindings(config)),
      ...(await isolationFindings(config)),
      ...(await programFindings(config)),
      ...(await clockFindings(config)),
      ...(await storeFindings(config)),
      ...(await tlsFindings(file, config)),
      ...(config.gateway?.options === undefined
        ? [...(await databaseFindings(config)), ...(await secretFindings(file, config))]
        : await optionFindings(file)),
    ];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const fix = 'holdfast config validate shows each problem and its place';
    return [node, { checkId: 'config', severity: 'error', message: error.message, fix }];
  }
}

export function nodeFinding(version: string): DoctorFinding {
  if (!isOldNode(version)) return { checkId: 'node', severity: 'ok', message: `Node ${version}` };
  const message = `Node ${version} is older than ${OLDEST_NODE}`;
  return { checkId: 'node', severity: 'error', message, fix: `use Node 24, or at least ${OLDEST_NODE}` };
}

async function tlsFindings(file: string, { gateway }: LoadedConfig): Promise<DoctorFinding[]> {
  if (gateway?.tls === undefined) return [];
  try {
    await tlsOf(gateway, file);
    return [
      {
        checkId: 'tls',
        severity: 'ok',
        message: 'the certificate and the key of the gateway belong together',
      },
    ];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const fix = 'write both files again; a gateway does not start with these';
    return [{ checkId: 'tls', severity: 'error', message: error.message, fix }];
  }
}

async function isolationFindings(config: Parameters<typeof isolationReport>[0]): Promise<DoctorFinding[]> {
  const report = await isolationReport(config);
  const pools = report
    .filter(({ isolation }) => isolation === 'thread+permissions')
    .map((pool): DoctorFinding => {
      const open = openText(pool);
      const message = `the pool "${pool.threadId}" is closed`;
      if (open === undefined) return { checkId: 'isolation', severity: 'ok', message };
      return {
        checkId: 'isolation',
        severity: 'warn',
        message: open,
        fix: 'holdfast explain shows all of it',
      };
    });
  const mixed = mixedGrants(config.agents).map((one): DoctorFinding => {
    const fix = 'give each of them a threadId of its own';
    return { checkId: 'grants', severity: 'warn', message: mixedGrantsText(one), fix };
  });
  return [...pools, ...mixed];
}
