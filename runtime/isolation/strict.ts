import type { LoadedConfig } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import { mixedGrants, mixedGrantsText } from './mixed-grants.ts';
import { isolationReport, openText } from './report.ts';

/**
 * Tries the isolation of every pool before anything is started.
 *
 * @throws {HoldfastError} `ISOLATION_UNAVAILABLE` with all that is open, or shared by agents of different grants.
 */
export async function assertIsolation(config: Pick<LoadedConfig, 'agents' | 'pools'>): Promise<void> {
  const mixed = mixedGrants(config.agents).map(mixedGrantsText);
  const open = (await isolationReport(config)).flatMap((pool) => openText(pool) ?? []);
  const problems = [...mixed, ...open];
  if (problems.length === 0) return;
  throw new HoldfastError(
    'ISOLATION_UNAVAILABLE',
    `strict asks for more isolation than there is:\n  ${problems.join('\n  ')}`,
  );
}
