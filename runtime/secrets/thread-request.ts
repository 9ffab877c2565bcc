import type { Ending } from '../base/ending.ts';
import type { SecretUseName } from '../wire/protocol.ts';
import type { SecretsBroker } from './broker.ts';
import type { OpenAnswer } from './capabilities/open-answer.ts';
import { transfer } from '../mailbox/transfer.ts';
import { notGranted } from './grants.ts';
import type { Caller } from './secret-use.ts';

/**
 * Handles a request of a thread for an instance. Everything in it comes from the thread, which is not believed; only
 * the caller is known to the host itself.
 */
export function secretRequest(
  broker: SecretsBroker,
  caller: Caller,
  use: SecretUseName,
  input: unknown,
  ending: Ending,
): Promise<unknown> {
  const { name, label, args, ...request } = (input ?? {}) as Readonly<Record<string, unknown>>;
  switch (use) {
    case 'capability':
      return broker.call(caller, typeof name === 'string' ? name : '', label, args, ending);
    case 'fetch':
      return broker.fetch(caller, label, request, ending);
    case 'value':
      return broker.reveal(caller, label).then(moving);
    case 'handle':
      return broker.handle(caller, label);
    case 'stream':
    default:
      return Promise.reject(notGranted({ mode: 'handle', label: '' }));
  }
}

/** Handles a request of a thread for an answer that streams; of it too the caller alone is known. */
export function streamRequest(
  broker: Pick<SecretsBroker, 'stream'>,
  caller: Caller,
  input: unknown,
  ending: Ending,
  upload: AsyncIterable<Uint8Array> | undefined,
): Promise<OpenAnswer> {
  const { label, ...request } = (input ?? {}) as Readonly<Record<string, unknown>>;
  return broker.stream(caller, label, request, ending, upload);
}

/** The value leaves the host, so nothing of it stays behind here. */
function moving(value: Uint8Array<ArrayBuffer>): Uint8Array {
  return transfer(value, [value.buffer]);
}
