import { fetchDeadlineMs, type SecretFailure } from '../../actors/secret-entry.ts';
import type { Reached } from '../../providers/aws-reach.ts';
import { ProviderError } from '../../providers/provider.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import { guide } from '../base/guide.ts';
import { openRuntime, type RuntimeOptions } from '../runtime.ts';
import { builtinProviders } from '../../providers/builtin-providers.ts';
import type { DoctorFinding } from './finding.ts';

/** AWS refuses signatures that are 5 min off. */
const SKEW_WARN_MS = 60_000;
const SKEW_MS = 5 * 60_000;
const LOOK_MS = 5000;
/** One fetch with all its attempts, and the start. */
const SETTLED_MS = fetchDeadlineMs + 1000;

/** Fetches every secret that is granted, once, and tells which came; nothing of a value is kept or shown. */
export async function secretFindings(
  file: string,
  { agents }: LoadedConfig,
  options: Pick<RuntimeOptions, 'providers' | 'capabilities'> = {},
): Promise<DoctorFinding[]> {
  if (agents.every(({ grants }) => grants.length === 0)) return [];
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  // What the config has shown is not to be shown here.
  const inspect = { adapter: { send() {} } };
  try {
    // Nothing is opened or started: whoever has the store goes on.
    const nothing = { onStore() {}, onStanding() {} };
    const runtime = await openRuntime(file, { ...options, logger, inspect }, nothing);
    try {
      await settled(() =>
        runtime.status().secrets.every(({ state }) => state !== 'cold' && state !== 'fetching'),
      );
      return runtime.status().secrets.map(({ provider, id, state, failure }): DoctorFinding => {
        const what = `${id} of the provider "${provider}"`;
        if (state === 'fresh') return { checkId: 'secret', severity: 'ok', message: `${what} can be read` };
        const message = `${what} cannot be read: ${failure ?? state}`;
        return { checkId: 'secret', severity: 'error', message, fix: FIXES[failure ?? 'transient'] };
      });
    } finally {
      await runtime.stop();
    }
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const fix = `see ${guide('errors.md')} for the code, and ${guide('providers.md')} for what the provider needs`;
    return [{ checkId: 'secret', severity: 'error', message: error.message, fix }];
  }
}

/** What to do, for each class of failure. */
const FIXES: Readonly<Record<SecretFailure, string>> = {
  denied: `let the role of this process read it; the policy is in ${guide('rotation.md')}`,
  deleted: 'restore it, or take the grant away',
  'expired-credentials':
    'renew the credentials of this process: `aws sts get-caller-identity`, in the same environment, fails too until they are valid',
  invalid: `check the id, what is stored there, and at the options of the provider in ${guide('providers.md')}`,
  'not-found': 'write the name as the provider has it, and its region',
  rejected: 'check its rotation: the service refuses the version that is current',
  throttled: 'wait: the provider refuses more calls for now; the runtime tries again by itself',
  transient: 'check the network and the state of the provider; the runtime tries again by itself',
  undecryptable:
    'let the role of this process decrypt with the key of the secret, and see that the key is enabled',
};

/** How far the clock of this machine is from that of the providers, which refuse requests of another time. */
export async function clockFindings({ agents, providers }: LoadedConfig): Promise<DoctorFinding[]> {
  const grants = agents.flatMap((agent) => agent.grants);
  const found = providers.map(async ({ alias, provider, options }) => {
    const builtin = builtinProviders.get(provider);
    const ids = grants.filter((grant) => grant.provider === alias).map(({ id }) => id);
    const reached = builtin?.reach?.(options, ids, AbortSignal.timeout(LOOK_MS));
    return reached === undefined ? [] : clockOf(alias, reached, ids.length > 0);
  });
  return (await Promise.all(found)).flat();
}

async function clockOf(
  alias: string,
  reached: Promise<Reached>,
  isNeeded: boolean,
): Promise<DoctorFinding[]> {
  const of = (severity: DoctorFinding['severity'], message: string, fix?: string): DoctorFinding[] => [
    { checkId: 'clock', severity, message, ...(fix !== undefined && { fix }) },
  ];
  try {
    const { url, proxy, answered, date } = await reached;
    const way = proxy === undefined ? '' : ` through the proxy of ${proxy}`;
    if (!answered) {
      const message = `the provider "${alias}" does not answer at ${url}${way}`;
      return of('warn', message, 'check the network, proxies and VPC endpoints');
    }
    const off = Math.abs(Date.now() - Date.parse(date ?? ''));
    if (Number.isNaN(off)) return of('ok', `the provider "${alias}" answers`);
    const message = `the clock is ${Math.round(off / 1000)} s from that of the provider "${alias}"`;
    if (off < SKEW_WARN_MS) return of('ok', message);
    const fix = 'set the clock, and keep it by NTP: AWS refuses requests that are 5 min off';
    return of(off < SKEW_MS ? 'warn' : 'error', message, fix);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    // With a grant the start fails for it, and is looked at next.
    if (isNeeded) return [];
    return of('warn', `the provider "${alias}": ${error.message}`, 'no agent needs it yet');
  }
}

async function settled(done: () => boolean): Promise<void> {
  const until = performance.now() + SETTLED_MS;
  while (!done() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
}
