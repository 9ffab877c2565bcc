import type { McpFlow } from './mcp-flow.ts';

/** A comment of server-sent events, which keeps a connection alive and says nothing. */
const COMMENT = 0x3a;

/** Resolves with the response when it has content to give, so that until then another answer may take its place. */
export async function withContent(response: Response, flow: McpFlow): Promise<Response> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!isStream || response.body === null) return response;
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let first = await reader.read();
  while (!first.done && first.value[0] === COMMENT) first = await reader.read();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (first.done) controller.close();
      else {
        flow.read(first.value.byteLength);
        controller.enqueue(first.value);
      }
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      flow.read(value.byteLength);
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(body, { status: response.status, headers: response.headers });
}
