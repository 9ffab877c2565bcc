import type { SecretUseName } from '../wire/protocol.ts';
import type { SecretsBroker } from './broker.ts';
import { transfer } from '../mailbox/transfer.ts';
import { notGranted } from './grants.ts';
import type { Caller } from './secret-use.ts';

/**
 * What a thread asks for an instance. All of it comes from the thread, which is not to be believed: only the caller is what
 * the host itself knows.
 */
export async function secretRequest(
  broker: SecretsBroker,
  caller: Caller,
  use: SecretUseName,
  input: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const { name, label, args, ...request } = (input ?? {}) as Readonly<Record<string, unknown>>;
  switch (use) {
    case 'capability':
      return broker.call(caller, typeof name === 'string' ? name : '', label, args, signal);
    case 'fetch':
      return broker.fetch(caller, label, request, signal);
    case 'value':
      return moving(await broker.reveal(caller, label));
    case 'handle':
      return broker.handle(caller, label);
    default:
      throw notGranted({ mode: 'handle', label: '' });
  }
}

/** It leaves the host: nothing of it stays behind here. */
function moving(value: Uint8Array<ArrayBuffer>): Uint8Array {
  return transfer(value, [value.buffer]);
}
