import { HoldfastError } from '../errors.ts';
import type { InspectOptions, InspectorAdapter } from './inspection-hub.ts';

/** What `createInspector(adapter)` of `@statelyai/inspect` returns. */
export interface Inspector {
  readonly adapter: Pick<InspectorAdapter, 'send'>;
  /** Of the inspector itself, which is not used: it would see the host's actors only. */
  readonly inspect: unknown;
}

/** @throws {HoldfastError} `CONFIG_INVALID`: nothing in it takes events */
export function inspectOptions(inspect: InspectOptions | Inspector): InspectOptions {
  const { adapter } = inspect;
  if (typeof adapter?.send !== 'function') {
    throw new HoldfastError(
      'CONFIG_INVALID',
      '`inspect` has no `adapter` with a method `send`. Pass what createInspector of @statelyai/inspect returns, or an adapter.',
    );
  }
  // An inspector has started its adapter, and goes on when the runtime has stopped.
  if ('inspect' in inspect) return { adapter: { send: (event) => adapter.send(event) } };
  return inspect;
}
