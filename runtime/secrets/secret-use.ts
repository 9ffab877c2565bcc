import { HoldfastError } from '../base/errors.ts';
import { NobodyReads } from '../base/nobody-reads.ts';
import type { Audit, AuditRecord } from './audit.ts';
import type { SecretsClock } from './values/secrets-clock.ts';
import type { AskedUse } from './grants.ts';

/** The user of a secret: one incarnation of an instance, in its pool. */
export interface Caller {
  /** `agent/id` */
  readonly address: string;
  readonly incarnation: number;
  /** The `threadId` of the pool. */
  readonly pool: string;
}

/** A use of a secret, from the request until it is over. */
export interface SecretUse {
  /** Ends the use; its reason is the caller's error. */
  readonly signal: AbortSignal;
  /** The version that is used, for the audit trail. */
  versionId: string | undefined;
  /** The capability or request by which it is used, for the audit trail. */
  through: string | undefined;
  /** The status of a service's answer, for the audit trail. */
  status: number | undefined;
  /** The bytes of that answer which the agent was given, for the audit trail. */
  bytes: number | undefined;
  /** The use goes on for as long as it takes: its time has no end from now on. */
  goesOn(): void;
  /** The answer has begun: the audit trail has it now, and its body when that is over. */
  begun(): void;
}

export interface UseOptions {
  readonly caller: Caller;
  readonly asked: AskedUse;
  readonly clock: SecretsClock;
  /** Undefined: the use is not recorded. */
  readonly audit: Pick<Audit, 'record'> | undefined;
  /** The most milliseconds that the use may take. */
  readonly deadlineMs: number;
  /** Aborts when the caller gives up. */
  readonly signal: AbortSignal | undefined;
  /** Registers the use while it runs, so that it can be ended from elsewhere. */
  readonly running: (ending: AbortController) => () => void;
}

/** Runs a use of a secret within its time, and records it, however it ends. */
export async function useSecret<T>(options: UseOptions, run: (use: SecretUse) => Promise<T>): Promise<T> {
  const { caller, asked, clock, audit, deadlineMs, signal, running } = options;
  const ending = new AbortController();
  const giveUp = (): void => ending.abort(signal?.reason);
  const timer = clock.setTimeout(() => ending.abort(timedOut(asked, deadlineMs)), deadlineMs);
  const over = running(ending);
  const startedAt = clock.now();
  let part: AuditRecord['part'];
  const use: SecretUse = {
    signal: ending.signal,
    versionId: undefined,
    through: asked.capability,
    status: undefined,
    bytes: undefined,
    goesOn: () => clock.clearTimeout(timer),
    begun() {
      part = 'head';
      record('ok');
      part = 'body';
    },
  };
  const record = (outcome: AuditRecord['outcome']): void => {
    if (audit === undefined) return;
    const { versionId, through, status, bytes } = use;
    audit.record({
      at: new Date(startedAt).toISOString(),
      ...caller,
      label: asked.label,
      mode: asked.mode,
      ...(through !== undefined && { through }),
      ...(versionId !== undefined && { versionId }),
      outcome,
      ms: Math.max(0, Math.round(clock.now() - startedAt)),
      ...(part !== undefined && { part }),
      ...(status !== undefined && { status }),
      ...(bytes !== undefined && { bytes }),
    });
  };
  try {
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted === true) giveUp();
    const result = await run(use);
    record('ok');
    return result;
  } catch (error) {
    record(outcomeOf(error));
    throw error;
  } finally {
    clock.clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    over();
  }
}

function outcomeOf(error: unknown): AuditRecord['outcome'] {
  if (error instanceof NobodyReads) return 'cancelled';
  return error instanceof HoldfastError ? error.code : 'ERROR';
}

function timedOut({ mode, capability }: AskedUse, deadlineMs: number): HoldfastError {
  const seconds = deadlineMs / 1000;
  if (mode !== 'capability') {
    return new HoldfastError(
      'ASK_TIMEOUT',
      `The use of the secret did not end within ${seconds} s. Try again.`,
    );
  }
  return new HoldfastError(
    'ASK_TIMEOUT',
    `The capability "${capability}" did not end within ${seconds} s. Make it heed its signal, or split the work.`,
  );
}
