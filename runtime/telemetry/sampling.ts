/** What is known of how a tracer decides which spans are recorded. */
export interface Sampling {
  /**
   * Neither its sampler nor its processors look at the attributes that a span begins with, which may then be set when
   * it is known that it is recorded.
   */
  readonly isBlind: boolean;
  /** What belongs to a trace that is not recorded is never recorded. */
  readonly heedsParent: boolean;
}

const OFF = 'AlwaysOffSampler';
const PARENTS = 'ParentBasedSampler';
/** OpenTelemetry's own samplers, which decide by the trace alone. */
const SAMPLERS = new Set(['AlwaysOnSampler', OFF, 'TraceIdRatioBasedSampler']);
/** Its own processors, which look at a span when it ends. */
const PROCESSORS = new Set(['BatchSpanProcessor', 'SimpleSpanProcessor', 'NoopSpanProcessor']);

type Parts = Readonly<Record<string, unknown>>;

/**
 * Reads the sampler off a tracer of OpenTelemetry's SDK. Of any other tracer, sampler or processor, and of one made
 * from them, nothing is known.
 */
export function samplingOf(tracer: unknown): Sampling {
  const { _sampler: sampler, _spanProcessor: processor } = partsOf(tracer);
  const { _remoteParentNotSampled: remote, _localParentNotSampled: local } = partsOf(sampler);
  return {
    isBlind: isBlind(sampler) && looksLast(processor),
    heedsParent: nameOf(sampler) === PARENTS && nameOf(remote) === OFF && nameOf(local) === OFF,
  };
}

function isBlind(sampler: unknown): boolean {
  const name = nameOf(sampler);
  if (name !== PARENTS) return SAMPLERS.has(name);
  const parts = partsOf(sampler);
  return [
    parts['_root'],
    parts['_remoteParentSampled'],
    parts['_remoteParentNotSampled'],
    parts['_localParentSampled'],
    parts['_localParentNotSampled'],
  ].every(isBlind);
}

function looksLast(processor: unknown): boolean {
  if (nameOf(processor) !== 'MultiSpanProcessor') return PROCESSORS.has(nameOf(processor));
  const { _spanProcessors: all } = partsOf(processor);
  return Array.isArray(all) && all.every(looksLast);
}

function partsOf(value: unknown): Parts {
  return typeof value === 'object' && value !== null ? (value as Parts) : {};
}

/** The name of its own class: one that extends it has another. */
function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || Object.hasOwn(value, 'shouldSample')) return '';
  const { constructor } = (Object.getPrototypeOf(value) ?? {}) as {
    readonly constructor?: { readonly name?: string };
  };
  return constructor?.name ?? '';
}
