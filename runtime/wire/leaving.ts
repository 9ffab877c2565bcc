import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import { withOwnMemory } from '../mailbox/own-memory.ts';
import { MAX_LEVELS, measureLeaving } from '../mailbox/size.ts';

const NOTHING: ReadonlySet<unknown> = new Set();

/** The advice for a value that is nested too deep to cross. */
export const DEPTH_ADVICE = `it is nested deeper than ${MAX_LEVELS} levels, more than a thread can be sure to read; keep long chains in a list, or send a reference to the data`;

/**
 * Prepares a message for another thread: every value in it shows all the memory it carries ({@link withOwnMemory}),
 * and none is nested deeper than the other side can read. `lists` is how many lists, one in the other, stand around
 * the values. Whatever is in `moving` moves, no matter what lies behind it.
 *
 * @throws {HoldfastError} with `code`, when a value is nested too deep
 */
export function leaving<T>(
  message: T,
  lists: number,
  code: HoldfastErrorCode,
  moving: readonly unknown[] = [],
): T {
  const moves = moving.length === 0 ? NOTHING : new Set(moving);

  const leave = (value: unknown, lists: number): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (lists > 0 && Array.isArray(value)) return each(value, lists - 1);
    const size = measureLeaving(value, moves);
    if (typeof size === 'number') return value;
    if (size === 'too-deep') throw new HoldfastError(code, `this cannot cross: ${DEPTH_ADVICE}`);
    if (typeof size === 'string') return value;
    // Each value gets its own copies, because one of them may show more of a memory than another.
    return withOwnMemory(
      value,
      size,
      new Map(Array.from(moves as ReadonlySet<object>, (item) => [item, item])),
    );
  };

  const each = (list: readonly unknown[], lists: number): unknown => {
    let own: unknown[] | undefined;
    for (let i = 0; i < list.length; i++) {
      const item = list[i];
      if (typeof item !== 'object' || item === null) continue;
      const left = leave(item, lists);
      if (left !== item) (own ??= [...list])[i] = left;
    }
    return own ?? list;
  };

  return leave(message, lists) as T;
}

/** Whether a value is nested too deep to cross. Never throws. */
export function isTooDeep(value: unknown): boolean {
  try {
    return measureLeaving(value, NOTHING) === 'too-deep';
  } catch {
    return false;
  }
}
