import type { TLSSocket } from 'node:tls';

interface Init {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/**
 * Like `fetch`, and trusts the one certificate with that fingerprint, whoever signed it and for whatever name: a gateway of this
 * machine told its owner which one it has.
 */
export async function pinnedFetch(
  certificate: string,
): Promise<(url: string, init: Init) => Promise<{ readonly ok: boolean; text(): Promise<string> }>> {
  const { Agent, buildConnector, fetch } = await import('undici');
  const connect = buildConnector({ rejectUnauthorized: false });
  const dispatcher = new Agent({
    connect: (options, callback) => {
      connect(options, (error, socket) => {
        if (socket === null) return callback(error, null);
        // Before a token is sent.
        const found = (socket as TLSSocket).getPeerX509Certificate()?.fingerprint256;
        if (found === certificate) return callback(null, socket);
        socket.destroy();
        return callback(Object.assign(new Error('another certificate'), { code: 'WRONG_CERTIFICATE' }), null);
      });
    },
  });
  return (url, init) => fetch(url, { ...init, dispatcher });
}
