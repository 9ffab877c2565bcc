import { checkCall, listener, stepKey } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import { threadState, type Invoked, type Origin } from './thread-state.ts';

/**
 * Does something once for a promise, a callback or an observable of a durable agent: what `fn` returned is committed before
 * `step` resolves, and given back instead of another call of `fn` when a crash has made the work begin anew. It lasts until
 * the work has ended, or was stopped. A crash before the commit has `fn` called again, so what it does outside needs the key
 * that {@link invocation} gives. `fn` is called when the state is committed in which the work was started; its signal aborts
 * when the work is stopped.
 *
 * What is given back is a copy, as structured clone makes it, the first time too; it has at most 1 MiB. An error of `fn` is
 * thrown as it is and not kept. In an agent that is not durable, and outside a Holdfast thread, `fn` is called and nothing
 * is kept.
 *
 * Rejects with `OPTION_INVALID` for a key that is no string of 1 to 256 characters, `NOT_INVOKED` outside of such work,
 * `STEP_UNDER_WAY` for a key that is in use, `STEP_NOT_KEPT` for a value that cannot be kept, `SECRET_IN_SNAPSHOT` for one
 * with the value of a secret, `AGENT_STOPPED` when the work has ended.
 *
 * @example
 * ```ts
 * const buy = fromPromise(async ({ input }: { input: { order: string } }) => {
 *   const quote = await step('quote', () => askModel(input.order));
 *   return step('pay', (signal) => pay(quote, { idempotencyKey: `${invocation()}/pay`, signal }));
 * });
 * ```
 */
export async function step<T>(key: string, fn: (signal: AbortSignal) => T | PromiseLike<T>): Promise<T> {
  checkCall('step()', { key: [key, stepKey], fn: [fn, listener] });
  const current = invoked('step()');
  return current === undefined ? fn(new AbortController().signal) : current.step(key, fn);
}

/**
 * A key for what a promise, a callback or an observable does outside, such as an `Idempotency-Key`: 36 characters that are
 * the same in all of its code and after a crash, and that nothing else has: not the next start of the same child, and not
 * another instance. In a durable agent it is part of the state in which the work was started: `await committed()`, or a
 * {@link step}, before it is used. In an agent that is not durable it ends with the incarnation. Outside a Holdfast thread
 * each call gives another one.
 *
 * @throws {HoldfastError} `NOT_INVOKED`, where no promise, callback or observable runs
 */
export function invocation(): string {
  return invoked('invocation()')?.name ?? crypto.randomUUID();
}

/** The work whose code runs now; undefined outside a Holdfast thread. */
function invoked(call: string): Invoked | undefined {
  const { acting, current, origin } = threadState();
  if (origin === undefined) return undefined;
  // Within a turn, what began outside of it is not known by who has caused the turn.
  const found = current === undefined ? origin.getStore() : acting;
  if (found !== undefined && isInvoked(found)) return found;
  throw new HoldfastError(
    'NOT_INVOKED',
    `${call} was called where no invoked or spawned promise, callback or observable runs; call it in one, and not in an action`,
  );
}

function isInvoked(origin: Origin): origin is Invoked {
  return 'step' in origin;
}
