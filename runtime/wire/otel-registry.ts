/** The part that is used here of what an SDK has registered for all copies of OpenTelemetry's API in one thread. */
interface Registered {
  readonly trace?: unknown;
  readonly context?: {
    active(): unknown;
    with<T>(context: unknown, run: () => T): T;
  };
  readonly propagation?: {
    extract(context: unknown, headers: object, getter: object): unknown;
    inject(context: unknown, headers: object, setter: object): void;
  };
}

/**
 * The key under which every copy of the API 1.x looks, so that the API need not be loaded and a look costs nothing.
 */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

export function registered(): Registered | undefined {
  return (globalThis as { [REGISTERED]?: Registered })[REGISTERED];
}
