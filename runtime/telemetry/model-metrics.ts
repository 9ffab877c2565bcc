import type { Attributes, Histogram, Meter } from '@opentelemetry/api';
import { ERROR_TYPE, OTHER, SERVER, SERVER_PORT } from './attributes.ts';
import {
  GEN_AI_METRICS,
  GEN_AI_OPERATION,
  GEN_AI_PROVIDER,
  GEN_AI_REQUEST_MODEL,
  GEN_AI_RESPONSE_MODEL,
  GEN_AI_SECONDS,
  GEN_AI_TOKEN_TYPE,
  GEN_AI_TOKENS,
} from './gen-ai.ts';
import type { ModelFacts } from './model-answer.ts';
import type { ModelRequest } from './model-request.ts';

/** The most names of models that become series: threads choose them, and services. */
const MOST_MODELS = 64;

/** What came of a call of a model. */
export interface ModelCall {
  readonly request: ModelRequest;
  readonly facts: ModelFacts;
  readonly seconds: number;
  /** Undefined: nothing of an answer came, or it did not stream. */
  readonly firstChunkSeconds: number | undefined;
  readonly errorType: string | undefined;
}

/** Durations and tokens of calls of models. */
export class ModelMetrics {
  readonly #durations: Histogram;
  readonly #firstChunks: Histogram;
  readonly #tokens: Histogram;
  readonly #models = new Set<string>();

  constructor(meter: Meter) {
    const histogram = (name: string, unit: string, explicitBucketBoundaries: number[], description: string) =>
      meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } });
    this.#durations = histogram(
      GEN_AI_METRICS.duration,
      's',
      GEN_AI_SECONDS,
      'From the request of an agent to the end of the answer of a model.',
    );
    this.#firstChunks = histogram(
      GEN_AI_METRICS.firstChunk,
      's',
      GEN_AI_SECONDS,
      'From the request of an agent to the first part of an answer that streams.',
    );
    this.#tokens = histogram(
      GEN_AI_METRICS.tokens,
      '{token}',
      GEN_AI_TOKENS,
      'Tokens that a model has read and written, as its service says.',
    );
  }

  record({ request, facts, seconds, firstChunkSeconds, errorType }: ModelCall): void {
    const attributes: Attributes = {
      [GEN_AI_OPERATION]: request.operation,
      [GEN_AI_PROVIDER]: request.provider,
      [GEN_AI_REQUEST_MODEL]: this.#named(request.model),
      ...(facts.model !== undefined && { [GEN_AI_RESPONSE_MODEL]: this.#named(facts.model) }),
      [SERVER]: request.host,
      [SERVER_PORT]: request.port,
    };
    const failed = errorType === undefined ? {} : { [ERROR_TYPE]: errorType };
    this.#durations.record(seconds, { ...attributes, ...failed });
    if (firstChunkSeconds !== undefined) this.#firstChunks.record(firstChunkSeconds, attributes);
    const { inputTokens, outputTokens } = facts;
    if (inputTokens !== undefined)
      this.#tokens.record(inputTokens, { ...attributes, [GEN_AI_TOKEN_TYPE]: 'input' });
    if (outputTokens !== undefined)
      this.#tokens.record(outputTokens, { ...attributes, [GEN_AI_TOKEN_TYPE]: 'output' });
  }

  #named(model: string): string {
    if (this.#models.size < MOST_MODELS) this.#models.add(model);
    return this.#models.has(model) ? model : OTHER;
  }
}
