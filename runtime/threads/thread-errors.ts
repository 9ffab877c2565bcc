import { fileURLToPath } from 'node:url';
import type { LeaveCause, ThreadCause } from '../../actors/thread.ts';
import { HoldfastError } from '../base/errors.ts';
import { workerEntry } from './worker-options.ts';
import { isClonable } from '../wire/errors.ts';
import { whyUnclonable } from '../wire/unclonable.ts';
import type { ActivateRequest } from '../wire/protocol.ts';

/** The error for a thread that has not started in time. */
export function threadNotStarted(name: string, ms: number): HoldfastError {
  return new HoldfastError(
    'THREAD_START_TIMEOUT',
    `${name} did not start within ${ms} ms; raise startTimeoutMs of its pool, or see what keeps the machine busy`,
  );
}

/** The error for an instance that has not started in time. */
export function instanceNotStarted(address: string, ms: number): HoldfastError {
  const advice =
    'does its module wait for something at the top level? startTimeoutMs of its pool sets the limit';
  return new HoldfastError('THREAD_START_TIMEOUT', `${address} did not start within ${ms} ms; ${advice}`);
}

/** The error for a thread that cannot replace another. */
export function cannotRun(name: string, cause: unknown): HoldfastError {
  const what = cause instanceof Error ? cause.message : 'its agents cannot be loaded';
  return new HoldfastError('THREAD_CRASHED', `${name} cannot run what the thread before it does: ${what}`, {
    cause,
  });
}

/** The error for a thread that is ended because it refused a batch. */
export function batchRefused(name: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} did not take a batch of events and is ended; its instances go on by their restart policy`,
    { cause },
  );
}

/** The error for a thread that is ended because it sent `what`. */
export function threadUnreadable(name: string, what: string): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} sent ${what}, so that the progress of its instances is not known, and is ended; they go on by their restart policy. ` +
      'Look for code in its agents, or in a package of theirs, that uses the port of the thread or changes built-in objects',
  );
}

/** The error for a thread that is ended because the host cannot deserialize a frame of it. */
export function threadUnread(name: string): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} sent what the host cannot read, and what else was sent with it is lost; it is ended, and its instances go on by their ` +
      'restart policy. Look for values that are nested very deeply in states, replies and events of its agents, and keep lists flat',
  );
}

/** The error for a thread that is ended because it cannot deserialize a frame of the host. */
export function unreadByThread(name: string): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} cannot read what it was sent, and what else was sent with it is lost; it is ended, and its instances go on by their ` +
      'restart policy. Send events that are nested less deeply, or raise resourceLimits.stackSizeMb of its pool',
  );
}

/** The error for a thread that is ended because it does nothing but `what`. */
export function threadHung(name: string, ms: number, what: string): HoldfastError {
  return new HoldfastError(
    'THREAD_HUNG',
    `${name} did nothing for ${Math.round(ms)} ms but handle ${what}, and was ended; give such work a thread of its own, ` +
      'do it in steps, or raise watchdog.killMs of the pool',
  );
}

/** The cause and error for a thread that ends with an uncaught error, of any type; `told` is the thread's own report of it. */
export function threadFailed(
  name: string,
  thrown: unknown,
  told?: { readonly thrown: unknown },
): { readonly cause: Extract<ThreadCause, 'oom' | 'error'>; readonly error: HoldfastError } {
  const { code } = (thrown ?? {}) as { readonly code?: unknown };
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const text = `${name} reached its memory limit; raise resourceLimits of its pool or keep less in its agents`;
    return { cause: 'oom', error: new HoldfastError('THREAD_OUT_OF_MEMORY', text, { cause: thrown }) };
  }
  const cause = told === undefined ? thrown : told.thrown;
  if ((code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND') && isOfEntry(thrown)) {
    const text = `${name} found no file to start with: is Holdfast in a bundle? Keep "holdfast" external and install it where the program runs`;
    return { cause: 'error', error: new HoldfastError('THREAD_CRASHED', text, { cause }) };
  }
  const what =
    cause === undefined || cause === null ? `an uncaught throw of ${String(cause)}` : 'an uncaught error';
  const text = `${name} ended with ${what}; catch it in the agent, or invoke the work as an actor`;
  return { cause: 'error', error: new HoldfastError('THREAD_CRASHED', text, { cause }) };
}

/** Whether the missing module is the entry that every thread starts with, and not one of an agent. */
function isOfEntry(thrown: unknown): boolean {
  const { message } = thrown as { readonly message?: unknown };
  return typeof message === 'string' && message.includes(`'${fileURLToPath(workerEntry)}'`);
}

/** The error for a thread in use that exited without an error. */
export function threadExited(name: string, code: number): HoldfastError {
  const advice = 'see whether one of its agents, or a package of theirs, calls process.exit()';
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} exited with code ${code} while it was in use; ${advice}`,
  );
}

/** The error for a thread in use that the runtime itself has ended. */
export function threadEnded(name: string, cause: LeaveCause): HoldfastError {
  if (cause === 'shutdown') {
    const text = `${name} was ended with the runtime before it had finished; raise timeoutMs of stop(), or send less before it`;
    return new HoldfastError('RUNTIME_STOPPED', text);
  }
  const text = `${name} was replaced, and not every instance could move in time; ask again, or raise timeoutMs of recycle()`;
  return new HoldfastError('THREAD_CRASHED', text);
}

/** The error for a thread that does not end, and without which its instances continue. */
export function threadAbandoned(name: string): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} was ended, and a call into the operating system holds it; see what its agents call that blocks`,
  );
}

/** The error for an instance whose input, snapshot or timers cannot be cloned. */
export function unclonableStart(
  { address, input, snapshot, timers }: Pick<ActivateRequest, 'address' | 'input' | 'snapshot' | 'timers'>,
  cause: unknown,
): HoldfastError {
  const what = isClonable(input) ? 'snapshot' : 'input';
  const why = whyUnclonable(what === 'input' ? input : { snapshot, timers });
  const advice = 'pass plain data without functions, actors or sockets';
  const message = `the ${what} of ${address} cannot be cloned (${why}); ${advice}`;
  return new HoldfastError('MESSAGE_UNCLONABLE', message, { cause });
}

/** The error for a use of a secret whose actor was stopped, or whose machine has left the state. */
export function nobodyWaits(): HoldfastError {
  return new HoldfastError('AGENT_STOPPED', 'the actor that had a secret used does not wait for it any more');
}
