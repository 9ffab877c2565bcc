import { trace, type Span } from '@opentelemetry/api';
import type { TraceHeaders } from '../mailbox/trace.ts';
import { GEN_AI_AGENT, GEN_AI_OPERATION, GEN_AI_PROVIDER, GEN_AI_REQUEST_MODEL } from './gen-ai.ts';
import type { ModelRequest } from './model-request.ts';
import { contextOf } from './remote-context.ts';

interface OpenAsk {
  readonly address: string;
  /** The first call of a model that the agent has made for it. */
  call: ModelRequest | undefined;
}

const OPERATION = 'invoke_agent';

/**
 * The asks that are open, by their spans. No config says which agents are those of models, so what an ask was shows by its
 * end: one for which its agent has called a model is told as the invocation of an agent.
 */
export class Invocations {
  readonly #open = new Map<string, OpenAsk>();

  begin(span: Span, address: string): void {
    this.#open.set(span.spanContext().spanId, { address, call: undefined });
  }

  /** An instance calls a model, in the trace that its thread tells of. */
  called(address: string, headers: TraceHeaders | undefined, call: ModelRequest): void {
    const parent = headers && contextOf(headers);
    const ask = this.#open.get((parent && trace.getSpanContext(parent)?.spanId) ?? '');
    // A thread that makes up traces speaks of its own instances alone.
    if (ask?.address === address) ask.call ??= call;
  }

  /** Names the span of an ask that ends by what it was. */
  end(span: Span, agent: string): void {
    const { spanId } = span.spanContext();
    const call = this.#open.get(spanId)?.call;
    this.#open.delete(spanId);
    if (call === undefined) return;
    span.updateName(`${OPERATION} ${agent}`).setAttributes({
      [GEN_AI_OPERATION]: OPERATION,
      [GEN_AI_AGENT]: agent,
      [GEN_AI_PROVIDER]: call.provider,
      [GEN_AI_REQUEST_MODEL]: call.model,
    });
  }
}
