import type { McpFlow } from './mcp-flow.ts';

/** A comment of server-sent events, which keeps a connection alive and says nothing. */
const COMMENT = 0x3a;

/**
 * Resolves with the response when it has content to give, so that until then another answer may take its place. `over` is
 * called when all of the content was given, or nobody takes the rest.
 */
export async function withContent(response: Response, flow: McpFlow, over: () => void): Promise<Response> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!isStream || response.body === null) {
    over();
    return response;
  }
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  type Read = Awaited<ReturnType<typeof reader.read>>;
  const next = async (): Promise<Read> => {
    try {
      return await reader.read();
    } catch (error) {
      over();
      throw error;
    }
  };
  const give = (controller: ReadableStreamDefaultController<Uint8Array>, { done, value }: Read): void => {
    if (done) {
      over();
      return controller.close();
    }
    flow.read(value.byteLength);
    controller.enqueue(value);
  };
  let first = await next();
  while (!first.done && first.value[0] === COMMENT) first = await next();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      give(controller, first);
    },
    async pull(controller) {
      give(controller, await next());
    },
    cancel(reason) {
      over();
      return reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}
