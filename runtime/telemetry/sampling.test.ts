import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type TracerProviderOptions,
} from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';
import { samplingOf } from './sampling.ts';

const exporter = new InMemorySpanExporter();
const of = (options: TracerProviderOptions) => samplingOf(new TracerProvider(options).getTracer('test'));
const ratio = new TraceIdRatioBasedSampler(0.5);
const parents = new ParentBasedSampler({ root: ratio });

class Own extends TraceIdRatioBasedSampler {}
class OwnParents extends ParentBasedSampler {}
class Looking extends SimpleSpanProcessor {
  override onStart(): void {}
}

test.each<[string, TracerProviderOptions, boolean, boolean]>([
  ['what it does by itself', {}, true, true],
  ['a share of all', { sampler: ratio }, true, false],
  ['a share of the roots', { sampler: parents }, true, true],
  [
    'its own processors',
    { spanProcessors: [new BatchSpanProcessor({ exporter }), new SimpleSpanProcessor({ exporter })] },
    true,
    true,
  ],
  ['a sampler that extends one of its own', { sampler: new Own(0.5) }, false, false],
  ['such a sampler at the root', { sampler: new ParentBasedSampler({ root: new Own(0.5) }) }, false, true],
  ['a sampler that extends that for parents', { sampler: new OwnParents({ root: ratio }) }, false, false],
  [
    'one that records below what is not recorded',
    { sampler: new ParentBasedSampler({ root: ratio, localParentNotSampled: new AlwaysOnSampler() }) },
    true,
    false,
  ],
  [
    'the same for parents of elsewhere',
    { sampler: new ParentBasedSampler({ root: ratio, remoteParentNotSampled: new AlwaysOnSampler() }) },
    true,
    false,
  ],
  ['a processor of somebody else', { spanProcessors: [new Looking({ exporter })] }, false, true],
  [
    'a sampler whose decision was replaced',
    { sampler: Object.assign(new AlwaysOffSampler(), { shouldSample: () => ({ decision: 0 }) }) },
    false,
    false,
  ],
])('the real SDK with %s', (_, options, isBlind, heedsParent) => {
  expect(of(options)).toEqual({ isBlind, heedsParent });
});

test.each([undefined, null, 5, {}, { _sampler: 'AlwaysOnSampler' }, { _sampler: Object.create(null) }])(
  'of another tracer nothing is known: %j',
  (tracer) => {
    expect(samplingOf(tracer)).toEqual({ isBlind: false, heedsParent: false });
  },
);
