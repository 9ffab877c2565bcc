import { diag } from '@opentelemetry/api';

/** Telemetry that fails is a word to OpenTelemetry's own log, and nothing to the runtime. */
export function quietly<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    diag.error('holdfast: telemetry failed', error);
    return undefined;
  }
}
