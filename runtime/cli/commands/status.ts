import { relative } from 'node:path';
import { loadForGateway } from '../../config/load.ts';
import type { LoadedConfig } from '../../config/resolve.ts';
import { ConfigError } from '../../base/errors.ts';
import { version } from '../../base/version.ts';
import { configFile, DEFAULT_CONFIG } from '../config-file.ts';
import { heavyTexts, rates, type Writes, writesOfGateway } from '../durability.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { paint, table, type Terminal } from '../terminal.ts';
import { clusterStatus } from './running.ts';

export interface StatusOptions {
  readonly config?: string;
  readonly version?: boolean;
  /** All nodes of the cluster of its gateway. */
  readonly cluster?: boolean;
  /** With {@link cluster}: another gateway. */
  readonly url?: string;
  readonly json?: boolean;
}

/** The version, the config, what it declares, and what its agents write into the store, if its gateway runs. */
export async function status(options: StatusOptions, terminal: Terminal): Promise<ExitCode> {
  const { stdout, cwd } = terminal;
  // Also where there is no config: it is the first step of an upgrade.
  if (options.version === true) {
    stdout.write(options.json === true ? `${JSON.stringify({ version })}\n` : `${version}\n`);
    return EXIT.ok;
  }
  if (options.cluster === true) return clusterStatus(options, terminal);
  const file = configFile(options.config, terminal);
  const found = file === undefined ? undefined : await read(file);
  const problems = found instanceof ConfigError ? found.problems : [];
  const config = found instanceof ConfigError ? undefined : found;
  const writes =
    config?.store === undefined || file === undefined ? [] : await writesOfGateway(file, terminal);
  if (options.json === true) {
    const shown = {
      version,
      node: process.version,
      config: file ?? null,
      valid: config !== undefined,
      problems,
    };
    stdout.write(
      `${JSON.stringify({ ...shown, ...(config && declared(config)), ...(writes.length > 0 && { writes }) }, undefined, 2)}\n`,
    );
  } else {
    const colour = paint(terminal);
    const where = file === undefined ? `no ${DEFAULT_CONFIG} here` : relative(cwd, file) || file;
    const verdict = (): string => {
      if (file === undefined) return colour('dim', where);
      if (config === undefined)
        return `${where}: ${colour('red', `problems: ${problems.length}`)}, see holdfast config validate`;
      return `${where}: ${colour('green', 'valid')}`;
    };
    stdout.write(
      `${colour('bold', `Holdfast ${version}`)} on Node ${process.version}\nconfig  ${verdict()}\n`,
    );
    if (config !== undefined) stdout.write(`\n${agentsTable(config)}`);
    if (writes.length > 0) stdout.write(`\n${writesTable(writes)}`);
    for (const text of heavyTexts(writes)) stdout.write(`\n${colour('yellow', '!')} ${text}\n`);
  }
  return file !== undefined && config === undefined ? EXIT.config : EXIT.ok;
}

async function read(file: string): Promise<LoadedConfig | ConfigError> {
  try {
    return await loadForGateway(file);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function declared({ agents, pools }: LoadedConfig): object {
  return {
    agents: agents.map(({ name, threadId, grants }) => ({ name, threadId, secrets: grants.length })),
    pools: pools.map(({ threadId, maxThreads, isolation }) => ({ threadId, maxThreads, isolation })),
  };
}

function agentsTable({ agents, pools }: LoadedConfig): string {
  const rows = agents.map(({ name, threadId, grants }) => {
    const pool = pools.find((one) => one.threadId === threadId);
    return [name, threadId, String(pool?.maxThreads ?? ''), pool?.isolation ?? '', String(grants.length)];
  });
  return table(['agent', 'pool', 'threads', 'isolation', 'secrets'], rows);
}

function writesTable(writes: readonly Writes[]): string {
  const rows = writes.map((one) => [one.agent, String(one.commits), ...rates(one)]);
  return table(['agent', 'commits', 'commits/s', 'KiB/s'], rows);
}
