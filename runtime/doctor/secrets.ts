import type { LoadedConfig, ResolvedProvider } from '../config/resolve.ts';
import { HoldfastError } from '../errors.ts';
import { createRuntime } from '../runtime.ts';
import type { DoctorFinding } from './finding.ts';

/** AWS refuses signatures that are 5 min off. */
const SKEW_WARN_MS = 60_000;
const SKEW_MS = 5 * 60_000;
const LOOK_MS = 5000;

/** Fetches every secret that is granted, once, and tells which came; nothing of a value is kept or shown. */
export async function secretFindings(file: string, { agents }: LoadedConfig): Promise<DoctorFinding[]> {
  if (agents.every(({ grants }) => grants.length === 0)) return [];
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  // What the config has shown is not to be shown here.
  const inspect = { adapter: { send() {} } };
  try {
    const runtime = await createRuntime(file, { logger, inspect });
    try {
      await settled(() =>
        runtime.status().secrets.every(({ state }) => state !== 'cold' && state !== 'fetching'),
      );
      return runtime.status().secrets.map(({ provider, id, state, failure }): DoctorFinding => {
        const what = `${id} of the provider "${provider}"`;
        if (state === 'fresh') return { checkId: 'secret', severity: 'ok', message: `${what} can be read` };
        const message = `${what} cannot be read: ${failure ?? state}`;
        return { checkId: 'secret', severity: 'error', message, fix: fixOf(failure) };
      });
    } finally {
      await runtime.stop();
    }
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const fix = 'see docs/errors.md for the code, and docs/providers.md for what the provider needs';
    return [{ checkId: 'secret', severity: 'error', message: error.message, fix }];
  }
}

function fixOf(failure: string | undefined): string {
  if (failure === 'denied') return 'let the role of this process read it; the policy is in docs/rotation.md';
  if (failure === 'not-found') return 'write the name as the provider has it, and its region';
  return 'look at the network and the state of the provider; it is tried again by itself';
}

/** How far the clock of this machine is from that of the providers, which refuse requests of another time. */
export async function clockFindings({ providers }: LoadedConfig): Promise<DoctorFinding[]> {
  const asked = providers.filter(({ provider }) => provider === 'aws-secrets-manager');
  return Promise.all(asked.map(clockOf));
}

async function clockOf({ alias, options }: ResolvedProvider): Promise<DoctorFinding> {
  const { endpoint, region } = options;
  const url =
    typeof endpoint === 'string' ? endpoint : `https://secretsmanager.${String(region)}.amazonaws.com/`;
  let date: string | null;
  try {
    const answer = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(LOOK_MS) });
    date = answer.headers.get('date');
  } catch {
    const message = `the provider "${alias}" does not answer at ${url}`;
    return {
      checkId: 'clock',
      severity: 'warn',
      message,
      fix: 'look at the network, proxies and VPC endpoints',
    };
  }
  const off = Math.abs(Date.now() - Date.parse(date ?? ''));
  if (Number.isNaN(off))
    return { checkId: 'clock', severity: 'ok', message: `the provider "${alias}" answers` };
  const message = `the clock is ${Math.round(off / 1000)} s from that of the provider "${alias}"`;
  if (off < SKEW_WARN_MS) return { checkId: 'clock', severity: 'ok', message };
  return {
    checkId: 'clock',
    severity: off < SKEW_MS ? 'warn' : 'error',
    message,
    fix: 'set the clock, and keep it by NTP: AWS refuses requests that are 5 min off',
  };
}

async function settled(done: () => boolean): Promise<void> {
  const until = performance.now() + LOOK_MS;
  while (!done() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
}
