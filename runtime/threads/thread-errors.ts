import { fileURLToPath } from 'node:url';
import type { LeaveCause, ThreadCause } from '../../actors/thread.ts';
import { HoldfastError } from '../base/errors.ts';
import { workerEntry } from './worker-options.ts';
import { isClonable } from '../wire/errors.ts';
import { whyUnclonable } from '../wire/unclonable.ts';
import type { ActivateRequest } from '../wire/protocol.ts';

/** Why a thread is given up that is still starting. */
export function threadNotStarted(name: string, ms: number): HoldfastError {
  return new HoldfastError(
    'THREAD_START_TIMEOUT',
    `${name} did not start within ${ms} ms; raise startTimeoutMs of its pool, or see what keeps the machine busy`,
  );
}

/** Why an instance is given up that is still starting. */
export function instanceNotStarted(address: string, ms: number): HoldfastError {
  const advice =
    'does its module wait for something at the top level? startTimeoutMs of its pool sets the limit';
  return new HoldfastError('THREAD_START_TIMEOUT', `${address} did not start within ${ms} ms; ${advice}`);
}

/** Why a thread does not take the place of another. */
export function cannotRun(name: string, cause: unknown): HoldfastError {
  const what = cause instanceof Error ? cause.message : 'its agents cannot be loaded';
  return new HoldfastError('THREAD_CRASHED', `${name} cannot run what the thread before it does: ${what}`, {
    cause,
  });
}

/** Why a thread that does not take a batch is ended. */
export function batchRefused(name: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} did not take a batch of events and is ended; its instances go on by their restart policy`,
    { cause },
  );
}

/** Why a thread is ended that said `what`. */
export function threadUnreadable(name: string, what: string): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} sent ${what}, so that the progress of its instances is not known, and is ended; they go on by their restart policy. ` +
      'Look for code in its agents, or in a package of theirs, that uses the port of the thread or changes built-in objects',
  );
}

/** Why a thread is ended of which a frame cannot be deserialized. */
export function threadUnread(name: string): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} sent what the host cannot read, and what else was sent with it is lost; it is ended, and its instances go on by their ` +
      'restart policy. Look for values that are nested very deeply in states, replies and events of its agents, and keep lists flat',
  );
}

/** Why a thread is ended that cannot deserialize a frame of the host. */
export function unreadByThread(name: string): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} cannot read what it was sent, and what else was sent with it is lost; it is ended, and its instances go on by their ` +
      'restart policy. Send events that are nested less deeply, or raise resourceLimits.stackSizeMb of its pool',
  );
}

/** Why a thread that does nothing but `what` is ended. */
export function threadHung(name: string, ms: number, what: string): HoldfastError {
  return new HoldfastError(
    'THREAD_HUNG',
    `${name} did nothing for ${Math.round(ms)} ms but handle ${what}, and was ended; give such work a thread of its own, ` +
      'do it in steps, or raise watchdog.killMs of the pool',
  );
}

/** Why a thread ends that had an uncaught error, whatever was thrown; `told` is what the thread itself says of it. */
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

/** The missing module is the one that every thread starts with, and none of an agent's. */
function isOfEntry(thrown: unknown): boolean {
  const { message } = thrown as { readonly message?: unknown };
  return typeof message === 'string' && message.includes(`'${fileURLToPath(workerEntry)}'`);
}

/** Why a thread is gone that was in use and had no error. */
export function threadExited(name: string, code: number): HoldfastError {
  const advice = 'see whether one of its agents, or a package of theirs, calls process.exit()';
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} exited with code ${code} while it was in use; ${advice}`,
  );
}

/** Why the runtime itself has ended a thread that was in use. */
export function threadEnded(name: string, cause: LeaveCause): HoldfastError {
  if (cause === 'shutdown') {
    const text = `${name} was ended with the runtime before it had finished; raise timeoutMs of stop(), or send less before it`;
    return new HoldfastError('RUNTIME_STOPPED', text);
  }
  const text = `${name} was replaced, and not every instance could move in time; ask again, or raise timeoutMs of recycle()`;
  return new HoldfastError('THREAD_CRASHED', text);
}

/** Why the instances of a thread go on without it that does not end. */
export function threadAbandoned(name: string): HoldfastError {
  return new HoldfastError(
    'THREAD_CRASHED',
    `${name} was ended, and a call into the operating system holds it; see what its agents call that blocks`,
  );
}

/** Why an instance cannot be started with what it was to begin with. */
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

/** Why a use of a secret has ended: the actor that wanted it was stopped, or its machine has left the state. */
export function nobodyWaits(): HoldfastError {
  return new HoldfastError('AGENT_STOPPED', 'the actor that had a secret used does not wait for it any more');
}
