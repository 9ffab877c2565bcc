import type { McpService, ResolvedMcpServer } from '../config/resolve.ts';
import { callFetch, type HostFetch } from './call-fetch.ts';
import type { OpenedTransport } from './connection.ts';

/** A service that is reached over HTTP, a request at a time. */
export async function openHttp(
  { url }: McpService,
  { maxResultBytes }: Pick<ResolvedMcpServer, 'maxResultBytes'>,
  send: HostFetch,
): Promise<OpenedTransport> {
  const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const fetch = callFetch(send, maxResultBytes);
  const transport = new StreamableHTTPClientTransport(new URL(url), { fetch });
  return { transport, reason: () => undefined };
}

/** Sends a request as it is, without a secret. A redirect is the answer. */
export const plainFetch: HostFetch = (url, init) => fetch(url, { ...init, redirect: 'manual' });
