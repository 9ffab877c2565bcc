import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
} from '@opentelemetry/api';
import type { OpenAnswer } from '../secrets/capabilities/open-answer.ts';
import { registered } from '../wire/otel-registry.ts';
import {
  ADDRESS,
  AGENT,
  agentNameAt,
  ERROR_TYPE,
  errorType,
  POOL,
  SCOPE,
  SERVER,
  SERVER_PORT,
} from './attributes.ts';
import {
  GEN_AI_AGENT,
  GEN_AI_FINISH_REASONS,
  GEN_AI_INPUT_MESSAGES,
  GEN_AI_INPUT_TOKENS,
  GEN_AI_OPERATION,
  GEN_AI_OUTPUT_MESSAGES,
  GEN_AI_OUTPUT_TOKENS,
  GEN_AI_PROVIDER,
  GEN_AI_REQUEST_MODEL,
  GEN_AI_RESPONSE_ID,
  GEN_AI_RESPONSE_MODEL,
} from './gen-ai.ts';
import { ModelAnswer } from './model-answer.ts';
import type { Invocations } from './invocations.ts';
import type { ModelMetrics } from './model-metrics.ts';
import { modelRequest, type ModelRequest } from './model-request.ts';
import { AnswerWords, askedWords } from './model-words.ts';
import { quietly } from './quietly.ts';
import { contextOf } from './remote-context.ts';
import type { SecretRequest, SecretSpanOptions } from './secret-span.ts';

export interface ModelSpanOptions extends SecretSpanOptions {
  readonly clock: { now(): number };
  readonly metrics: ModelMetrics | undefined;
  readonly invocations: Pick<Invocations, 'called'>;
}

/** Runs a request with a secret, below that context if one is given. */
type Run<T> = (parent?: Context) => Promise<T>;

/**
 * Runs a request with a secret; one to a model is in a span of its own, which ends with the body of the answer. Of the
 * answer it tells what the service says of itself. What the model was asked and said it tells where the grant has
 * `capture: true`, and nowhere else.
 */
export async function inModelSpan<T>(
  request: SecretRequest,
  options: ModelSpanOptions,
  run: Run<T>,
): Promise<T> {
  const isObserved = options.metrics !== undefined || registered()?.trace !== undefined;
  const asked = isObserved ? quietly(() => modelRequest(request, options.agentAt)) : undefined;
  if (asked === undefined) return run();
  const call = new ObservedCall(request, asked, options);
  try {
    const answer = await run(call.within);
    return (request.use === 'stream' ? call.streamed(answer as OpenAnswer) : call.whole(answer)) as T;
  } catch (error) {
    call.end(errorType(error));
    throw error;
  }
}

class ObservedCall {
  within: Context | undefined;
  readonly #asked: ModelRequest;
  readonly #options: ModelSpanOptions;
  #span: Span | undefined;
  readonly #answer = new ModelAnswer();
  #words: AnswerWords | undefined;
  readonly #begun: number;
  #firstChunk: number | undefined;

  constructor({ caller, headers, input }: SecretRequest, asked: ModelRequest, options: ModelSpanOptions) {
    this.#asked = asked;
    this.#options = options;
    this.#begun = options.clock.now();
    const agent = agentNameAt(caller.address, options.agentAt);
    const attributes: Attributes = {
      [GEN_AI_OPERATION]: asked.operation,
      [GEN_AI_PROVIDER]: asked.provider,
      [GEN_AI_REQUEST_MODEL]: asked.model,
      [GEN_AI_AGENT]: agent,
      [SERVER]: asked.host,
      [SERVER_PORT]: asked.port,
      [AGENT]: agent,
      [POOL]: caller.pool,
      [ADDRESS]: options.scrubText(caller.address),
    };
    quietly(() => {
      if (registered()?.trace === undefined) return;
      options.invocations.called(caller.address, headers, asked);
      const parent = (headers && contextOf(headers)) ?? ROOT_CONTEXT;
      const tracer = trace.getTracer(SCOPE, options.version);
      const name = `${asked.operation} ${asked.model}`;
      this.#span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, parent);
      this.within = trace.setSpan(parent, this.#span);
      if (!asked.captures || !this.#span.isRecording()) return;
      this.#words = new AnswerWords();
      this.#tell(GEN_AI_INPUT_MESSAGES, askedWords((input as { readonly body?: unknown }).body));
    });
  }

  /** An answer of which the body is yet to come. */
  streamed(answer: OpenAnswer): OpenAnswer {
    const status = answer.status >= 400 ? String(answer.status) : undefined;
    void answer.over.then(({ error }) => this.end(error === undefined ? status : errorType(error)));
    const { body } = answer;
    if (body === undefined) return answer;
    return {
      ...answer,
      body: {
        read: (sink) =>
          body.read({
            data: (bytes) => {
              this.#seen(bytes);
              return sink.data(bytes);
            },
            end: (error) => sink.end(error),
          }),
        resume: () => body.resume(),
        abort: (reason) => body.abort(reason),
      },
    };
  }

  /** An answer that came as a whole. */
  whole<T>(answer: T): T {
    const { status, body } = answer as { readonly status?: unknown; readonly body?: unknown };
    if (typeof body === 'string') this.#seen(Buffer.from(body));
    else if (body instanceof Uint8Array) this.#seen(body);
    this.#firstChunk = undefined;
    this.end(typeof status === 'number' && status >= 400 ? String(status) : undefined);
    return answer;
  }

  #seen(bytes: Uint8Array): void {
    this.#firstChunk ??= this.#options.clock.now();
    quietly(() => {
      this.#answer.push(bytes);
      this.#words?.push(bytes);
    });
  }

  #tell(name: string, words: string | undefined): void {
    if (words !== undefined) this.#span?.setAttribute(name, this.#options.scrubText(words));
  }

  end(type: string | undefined): void {
    const { clock, metrics } = this.#options;
    const { facts } = this.#answer;
    const since = (at: number): number => Math.max(0, at - this.#begun) / 1000;
    quietly(() =>
      metrics?.record({
        request: this.#asked,
        facts,
        seconds: since(clock.now()),
        firstChunkSeconds: this.#firstChunk === undefined ? undefined : since(this.#firstChunk),
        errorType: type,
      }),
    );
    quietly(() => {
      const span = this.#span;
      if (span === undefined) return;
      const told: readonly (readonly [name: string, value: string | number | string[] | undefined])[] = [
        [GEN_AI_RESPONSE_MODEL, facts.model],
        [GEN_AI_RESPONSE_ID, facts.id],
        [GEN_AI_FINISH_REASONS, facts.finishReason === undefined ? undefined : [facts.finishReason]],
        [GEN_AI_INPUT_TOKENS, facts.inputTokens],
        [GEN_AI_OUTPUT_TOKENS, facts.outputTokens],
      ];
      this.#tell(GEN_AI_OUTPUT_MESSAGES, this.#words?.words(facts.finishReason));
      for (const [name, value] of told) if (value !== undefined) span.setAttribute(name, value);
      if (type !== undefined) span.setAttribute(ERROR_TYPE, type).setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    });
  }
}
