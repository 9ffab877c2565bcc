import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { ResolvedAgent } from '../config/resolve.ts';

/** The first XState that the runtime works with, from the package's `peerDependencies`; the next major is another library. */
const FIRST = [5, 33] as const;

/**
 * Returns a warning for each agent whose folder leads to an XState that the runtime does not work with. Its machines still
 * run, since logic is logic, with the faults of that XState.
 */
export function foreignXState(agents: readonly Pick<ResolvedAgent, 'name' | 'moduleUrl'>[]): string[] {
  const wanted = `${FIRST.join('.')} or later, below ${FIRST[0] + 1}`;
  return agents.flatMap(({ name, moduleUrl }) => {
    const version = versionFor(moduleUrl);
    if (version === undefined || isSupported(version)) return [];
    return `the module of agent "${name}" finds XState ${version} beside it; Holdfast works with ${wanted}: install that there, too`;
  });
}

/** Returns the version to which an import of `xstate` leads from a module; `undefined` when it cannot be known. */
function versionFor(moduleUrl: string): string | undefined {
  try {
    const manifest = createRequire(moduleUrl).resolve('xstate/package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown };
    return typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}

function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.', 2).map(Number);
  return major === FIRST[0] && minor >= FIRST[1];
}
