import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import type { Terminal } from './terminal.ts';

/** The config of a project, where nobody names another. */
export const DEFAULT_CONFIG = './openclaw.json';

/** The file that is named, or that of the project; undefined when that is not there. */
export function configFile(named: string | undefined, { cwd }: Terminal): string | undefined {
  if (named !== undefined) return resolve(cwd, named);
  const file = resolve(cwd, DEFAULT_CONFIG);
  return existsSync(file) ? file : undefined;
}

export function noConfig(): ConfigError {
  return new ConfigError(
    'CONFIG_INVALID',
    `CONFIG_INVALID: there is no ${DEFAULT_CONFIG} here; go to the folder that has it, or name the file`,
    [],
  );
}
