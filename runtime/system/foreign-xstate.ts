import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { ResolvedAgent } from '../config/resolve.ts';

/** The first one that the runtime works with, as the package's `peerDependencies` have it; the next major is another library. */
const FIRST = [5, 33] as const;

/**
 * Says of each agent whose folder leads to an XState that the runtime does not work with. Its machines run, since logic is
 * logic, with the faults that XState had then.
 */
export function foreignXState(agents: readonly Pick<ResolvedAgent, 'name' | 'moduleUrl'>[]): string[] {
  const wanted = `${FIRST.join('.')} or later, below ${FIRST[0] + 1}`;
  return agents.flatMap(({ name, moduleUrl }) => {
    const version = versionFor(moduleUrl);
    if (version === undefined || isSupported(version)) return [];
    return `the module of agent "${name}" finds XState ${version} beside it; Holdfast works with ${wanted}: install that there, too`;
  });
}

/** The version that an import of `xstate` leads to from there; `undefined` when nobody can say. */
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
