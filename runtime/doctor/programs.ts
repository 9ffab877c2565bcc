import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { LoadedConfig, McpProgram } from '../config/resolve.ts';
import type { DoctorFinding } from './finding.ts';

/** Looks for the programs of MCP servers where a start would; none is started. */
export async function programFindings({ agents }: Pick<LoadedConfig, 'agents'>): Promise<DoctorFinding[]> {
  const findings: DoctorFinding[] = [];
  for (const { name: agent, mcp = [] } of agents) {
    for (const { name, at } of mcp) {
      if ('url' in at) continue;
      const what = `the program of the MCP server "${name}" of ${agent}`;
      if (await isThere(at)) {
        findings.push({ checkId: 'mcp', severity: 'ok', message: `${what} is there` });
        continue;
      }
      const message = `${what} is not there, or may not be run: ${at.command}`;
      const fix = /[/\\]/.test(at.command)
        ? 'correct `command`; a path is relative to the config file'
        : 'give `env` a PATH in which it is, such as "${PATH}", or write the whole path as `command`';
      findings.push({ checkId: 'mcp', severity: 'error', message, fix });
    }
  }
  return findings;
}

async function isThere({ command, env }: McpProgram): Promise<boolean> {
  if (/[/\\]/.test(command)) return mayRun(command);
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await mayRun(join(folder, command)))) return true;
  }
  return false;
}

function mayRun(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
