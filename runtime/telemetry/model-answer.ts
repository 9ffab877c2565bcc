/** What an answer of a model says of itself. */
export interface ModelFacts {
  model: string | undefined;
  id: string | undefined;
  finishReason: string | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
}

/** The longest thing that is looked for, with what stands around it: an end of that length is kept for what follows. */
const KEPT = 512;
/** The characters of the beginning in which the model and the id are looked for. */
const HEAD = 16_384;

const MODEL = /"model"\s*:\s*"([\w.:/@-]{1,128})"/;
const ID = /"id"\s*:\s*"([\w.:/@-]{1,128})"/;
const REASON = /"(?:finish_reason|stop_reason)"\s*:\s*"(\w{1,64})"/g;
/** The figure has ended, so that none is read that a cut has shortened. */
const INPUT = /"(?:prompt_tokens|input_tokens)"\s*:\s*(\d{1,12})(?=\s*[,}\s])/g;
const OUTPUT = /"(?:completion_tokens|output_tokens)"\s*:\s*(\d{1,12})(?=\s*[,}\s])/g;

/**
 * Reads what an answer says of itself as it streams by: JSON, or events that are JSON, in the shapes of OpenAI and
 * Anthropic. What a model says is text in that JSON, where a quote is escaped, so that it cannot be taken for a fact.
 * Nothing is parsed, held back or kept but an end of 512 characters.
 */
export class ModelAnswer {
  readonly facts: ModelFacts = {
    model: undefined,
    id: undefined,
    finishReason: undefined,
    inputTokens: undefined,
    outputTokens: undefined,
  };
  #kept = '';
  #seen = 0;

  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const text = this.#kept + chunk;
    const { facts } = this;
    if (this.#seen < HEAD) {
      facts.model ??= MODEL.exec(text)?.[1];
      facts.id ??= ID.exec(text)?.[1];
    }
    this.#seen += chunk.length;
    if (text.includes('_reason"')) facts.finishReason = lastOf(text, REASON) ?? facts.finishReason;
    if (text.includes('_tokens"')) {
      // Each counts on from the one before.
      facts.inputTokens = figureOf(text, INPUT) ?? facts.inputTokens;
      facts.outputTokens = figureOf(text, OUTPUT) ?? facts.outputTokens;
    }
    this.#kept = text.slice(-KEPT);
  }
}

function lastOf(text: string, pattern: RegExp): string | undefined {
  let last: string | undefined;
  for (const [, found] of text.matchAll(pattern)) last = found;
  return last;
}

function figureOf(text: string, pattern: RegExp): number | undefined {
  const last = lastOf(text, pattern);
  return last === undefined ? undefined : Number(last);
}
