import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import { sharesMemory } from '../mailbox/size.ts';

export { sharesMemory };

/** The advice for shared memory that the config of a pool does not allow. */
export function sharedMemoryAdvice(threadId: string): string {
  return `memory that threads share (a SharedArrayBuffer) crosses to and from a pool only with threads.${threadId}.sharedMemory: true; set it, or send a copy`;
}

/** Returns the value, which may be anything that crosses to or from the pool; throws if it carries shared memory. */
export function withoutShared<T>(
  value: T,
  { threadId, sharedMemory }: { readonly threadId: string; readonly sharedMemory: boolean },
  code: HoldfastErrorCode,
  what: string,
): T {
  if (sharedMemory || !sharesMemory(value)) return value;
  throw new HoldfastError(code, `${what} cannot cross: ${sharedMemoryAdvice(threadId)}`);
}
