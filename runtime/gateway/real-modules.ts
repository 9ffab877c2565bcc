import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadedConfig } from '../config/resolve.ts';

/**
 * The real places of a config's modules, as one text: a link on the way to them that now leads elsewhere, such as that
 * to the release of the day, makes other agents of the same config.
 */
export async function realModules(
  { agents, gateway }: Pick<LoadedConfig, 'agents' | 'gateway'>,
  file: string,
): Promise<string> {
  const named = agents.map(({ moduleUrl }) => fileURLToPath(moduleUrl));
  if (gateway?.options !== undefined) named.push(resolve(dirname(file), gateway.options));
  const real = await Promise.all(named.map((path) => realpath(path).catch(() => path)));
  return JSON.stringify(real);
}
