import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';

export interface TokensRead {
  /** Milliseconds from the request to the first token. */
  readonly first: number;
  /** Milliseconds from the service to whoever reads, for each token. */
  readonly late: number[];
}

const now = (): number => Number(process.hrtime.bigint() / 1000n);

/** Has an SDK stream the tokens of a model, with a fetch that knows its key or has it added. */
export async function readTokens(
  fetch: typeof globalThis.fetch,
  origin: string,
  { count, everyMs }: { readonly count: number; readonly everyMs: number },
): Promise<TokensRead> {
  const model = createOpenAICompatible({
    name: 'bench',
    baseURL: origin,
    apiKey: 'a-key-of-the-bench',
    fetch: (_url, init) => fetch(`${origin}/tokens?n=${count}&every=${everyMs}`, init),
  })('m');
  const begun = now();
  let first = 0;
  const late: number[] = [];
  const { textStream } = streamText({ model, prompt: 'hello', maxRetries: 0 });
  for await (const token of textStream) {
    first ||= now() - begun;
    // Some come together.
    for (const at of token.trim().split(' ')) late.push((now() - Number(at)) / 1000);
  }
  if (late.length !== count) throw new Error(`${late.length} of ${count} tokens came`);
  return { first: first / 1000, late };
}

/** Reads so many bytes, and waits after each of so many for a millisecond. */
export async function readBytes(
  fetch: typeof globalThis.fetch,
  origin: string,
  { count, pauseEach = Infinity }: { readonly count: number; readonly pauseEach?: number },
): Promise<{ readonly ms: number }> {
  const begun = performance.now();
  const { body } = await fetch(`${origin}/bytes?n=${count}`);
  let [read, sincePause] = [0, 0];
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    read += chunk.byteLength;
    sincePause += chunk.byteLength;
    if (sincePause < pauseEach) continue;
    sincePause = 0;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  if (read !== count) throw new Error(`${read} of ${count} bytes came`);
  return { ms: performance.now() - begun };
}
