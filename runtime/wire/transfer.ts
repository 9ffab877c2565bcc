import { arrayOf, checkCall, isObject } from '../base/call-check.ts';
import { transfer as mark, type Movable } from '../mailbox/transfer.ts';

export type { Movable } from '../mailbox/transfer.ts';

const movables = arrayOf(
  'an array of ArrayBuffers, MessagePorts and web streams',
  // A proxy that throws here would throw again where the event leaves.
  (item) => isObject(item) && Object.getPrototypeOf(item) !== undefined,
);

/**
 * Marks an event, a reply or an emitted event, so that the `ArrayBuffer`s, `MessagePort`s and web streams of the list
 * move to the other thread instead of being copied; a port and a stream can only move. Returns the same value. As with
 * `postMessage`, the sender can no longer use what has moved. Moved memory does not count towards `mailbox.maxBytes`.
 * Node's pool of small buffers does not move; a buffer cut from it is copied.
 *
 * A value moves once: sent again it becomes a dead letter with the reason `unclonable`, or, for a reply, a
 * `REPLY_UNCLONABLE`. An event that had left when its instance crashed cannot be sent to the next incarnation, and
 * becomes a dead letter with the reason `crashed`. The input of `spawn` is always copied, because a restart needs it.
 *
 * @throws {HoldfastError} `OPTION_INVALID` when the list is not an array
 * @example
 * ```ts
 * ref.send(transfer({ type: 'frame', pixels }, [pixels.buffer]));
 * ```
 */
export function transfer<T extends object>(value: T, list: readonly (Movable | ArrayBufferLike)[]): T {
  checkCall('transfer()', { list: [list, movables] });
  return mark(value, list);
}
