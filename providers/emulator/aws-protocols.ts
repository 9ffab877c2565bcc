import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { ServiceError } from './secrets-manager-store.ts';
import { queueErrorCodes } from './sqs-operations.ts';
import { isQuery, queryError, type XmlAnswer } from './sts-operations.ts';

/** Secrets Manager takes values of 64 KiB; base64 and JSON around them stay far below this, and SQS takes 256 KiB. */
const largestBody = 1024 * 1024;

/** A server on 127.0.0.1. */
export interface LoopbackServer {
  readonly url: string;
  /** Cuts every connection. Idempotent. */
  readonly stop: () => Promise<void>;
}

/** Starts a server; what `handle` rejects with is answered in the protocol of the request. */
export async function serve(
  port: number,
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  stopping: AbortController,
): Promise<LoopbackServer> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.destroyed || response.headersSent) return;
      const known =
        error instanceof ServiceError ? error : new ServiceError('InternalServiceError', String(error), 500);
      if (isQuery(request.headers['content-type'])) return answerXml(response, queryError(known));
      answer(response, known.status, { __type: known.code, Message: known.message, message: known.message });
    });
  });
  server.requestTimeout = 30_000;
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(port, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The emulator did not get a port.');

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= new Promise((resolve) => {
      stopping.abort();
      server.close(() => resolve());
      // Bounded: hung requests and kept-alive connections are cut, not waited for.
      server.closeAllConnections();
    });
    return stopped;
  };
  return { url: `http://127.0.0.1:${address.port}`, stop };
}

/** Whether the asker has hung up, when what the socket has to say about that has been heard. */
export async function isGone(response: ServerResponse): Promise<boolean> {
  // A turn of the event loop each for the end of the stream, for the answer to it and for the close.
  for (let turn = 0; turn < 3 && !response.destroyed; turn += 1) await setImmediate();
  return response.destroyed;
}

/** Aborts when the asker has hung up. */
export function hungUp(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}

/** The whole body as text. @throws {ServiceError} when it is larger than the service takes */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed at the throw: the refusal must still go out on the same socket.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestBody)
      throw new ServiceError('RequestEntityTooLargeException', 'The request is too large.', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The object of a JSON body; `undefined` for everything else. */
export function jsonObject(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
  } catch {
    // The same as all that is not a JSON object.
  }
  return undefined;
}

/** Answers in the version of JSON of the service that was asked. */
export function answer(
  response: ServerResponse,
  status: number,
  body: Readonly<Record<string, unknown>>,
): void {
  const { req: request } = response;
  const target = String(request.headers['x-amz-target']);
  const code = queueErrorCodes[String(body['__type'])];
  // Of a request that was not read to its end nothing more is read.
  const cut = request.complete ? undefined : { connection: 'close' };
  response.writeHead(status, {
    'content-type': target.startsWith('AmazonSQS')
      ? 'application/x-amz-json-1.0'
      : 'application/x-amz-json-1.1',
    'x-amzn-requestid': randomUUID(),
    ...(target.startsWith('AmazonSQS') && code !== undefined && { 'x-amzn-query-error': `${code};Sender` }),
    ...cut,
  });
  response.end(JSON.stringify(body), () => {
    if (cut !== undefined) request.destroy();
  });
}

export function answerXml(response: ServerResponse, { status, xml }: XmlAnswer): void {
  response.writeHead(status, { 'content-type': 'text/xml' }).end(xml);
}
