import { relative } from 'node:path';
import { loadForGateway, validateConfig } from '../../config/load.ts';
import { ConfigError } from '../../base/errors.ts';
import { configFile, noConfig } from '../config-file.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { paint, type Terminal } from '../terminal.ts';

export interface ValidateOptions {
  readonly json?: boolean;
  /** Also look for the modules of the agents, and the files that `gateway` names; nothing is loaded. Default: true. */
  readonly modules?: boolean;
}

/** Every problem of a config at once; nothing of it is loaded or started. */
export async function configValidate(
  named: string | undefined,
  { json, modules = true }: ValidateOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, stderr, cwd } = terminal;
  const file = configFile(named, terminal);
  try {
    if (file === undefined) throw noConfig();
    if (modules) await loadForGateway(file);
    else await validateConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, message, problems } = error;
    if (json === true) stdout.write(`${JSON.stringify({ valid: false, code, problems }, undefined, 2)}\n`);
    else stderr.write(`${message}\n`);
    return EXIT.config;
  }
  const shown = relative(cwd, file) || file;
  if (json === true) stdout.write(`${JSON.stringify({ valid: true, file })}\n`);
  else stdout.write(`${shown}: ${paint(terminal)('green', 'valid')}\n`);
  return EXIT.ok;
}
