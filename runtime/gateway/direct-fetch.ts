import { Agent as HttpAgent, request } from 'node:http';
import { isIP } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';

interface Init {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

type Answer = Pick<Response, 'ok' | 'status' | 'text'>;
type Send = (url: string, init: Init) => Promise<Answer>;

/**
 * Like `fetch`, but never through a proxy, whatever the environment says of one: a request to this machine must not go
 * elsewhere, and with a token at that. With a fingerprint it trusts the one certificate that has it, whoever signed it
 * and for whatever name: a gateway of this machine told its owner which one it has.
 */
export async function directFetch(url: string, certificate: string | undefined): Promise<Send> {
  // The most frequent case, and the quickest.
  if (url.startsWith('http:')) return plain;
  const { Agent, buildConnector, fetch } = await import('undici');
  if (certificate === undefined) {
    const dispatcher = new Agent();
    return (url, init) => fetch(url, { ...init, redirect: 'manual', dispatcher });
  }
  const connect = buildConnector({ rejectUnauthorized: false });
  const dispatcher = new Agent({
    connect: (options, callback) => {
      connect(options, (error, socket) => {
        // Not even null, when there is no socket.
        if (!socket) return callback(error, null);
        // Checked before a token is sent.
        const found = (socket as TLSSocket).getPeerX509Certificate()?.fingerprint256;
        if (found === certificate) return callback(null, socket);
        socket.destroy();
        return callback(Object.assign(new Error('another certificate'), { code: 'WRONG_CERTIFICATE' }), null);
      });
    },
  });
  return (url, init) => fetch(url, { ...init, redirect: 'manual', dispatcher });
}

function plain(url: string, { method, headers, body, signal }: Init): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // An agent of its own, because the global one may have been given a proxy.
    const sent = request(url, { method, headers, signal, agent: new HttpAgent() }, (response) => {
      const { statusCode: status = 0 } = response;
      resolve({ ok: status >= 200 && status < 300, status, text: () => text(response) });
    });
    sent.once('error', reject).end(body);
  });
}

/** Whether a host of a URL is this machine. */
export function isThisMachine(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  const isLocal4 = isIP(host) === 4 && (host.startsWith('127.') || host === '0.0.0.0');
  return isLocal4 || host === '::1' || host === '::' || /^(.+\.)?localhost\.?$/.test(host);
}
