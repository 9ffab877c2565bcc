/** What an SDK has registered for all copies of OpenTelemetry's API in one thread, as far as it is used here. */
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

/** Where every copy of the API 1.x looks: so it need not be loaded, and to look costs nothing. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

export function registered(): Registered | undefined {
  return (globalThis as { [REGISTERED]?: Registered })[REGISTERED];
}
