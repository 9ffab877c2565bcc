import type { Readable } from 'node:stream';
import type { ClientConfig } from './aws-client.ts';
import { proxyVariable } from './proxy-env.ts';

/** What came of asking a service for nothing. */
export interface Reached {
  /** Where the client of a provider asks. */
  readonly url: string;
  /** The variable that names the proxy on the way, if there is one. */
  readonly proxy?: string;
  /** What time it is there, as its answer says; undefined when it did not answer. */
  readonly date?: string;
  readonly answered: boolean;
}

/** Of what the SDK has built when it has decided where to ask. */
interface BuiltRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}

/**
 * Asks the endpoint that a client of this config asks, by the rules of the SDK: partitions, FIPS, dual stack, what the
 * environment and profiles say. Sends nothing that is signed.
 */
export async function reachEndpoint(config: ClientConfig, signal: AbortSignal): Promise<Reached> {
  const sdk = await import('@aws-sdk/client-secrets-manager');
  const none = { accessKeyId: 'none', secretAccessKey: 'none' };
  const client = new sdk.SecretsManagerClient({ ...config, credentials: none });
  const { requestHandler } = client.config;
  let request: BuiltRequest | undefined;
  client.middlewareStack.add(
    () => async (args) => {
      request = args.request as BuiltRequest;
      return { response: undefined, output: { $metadata: {} } };
    },
    { step: 'build', priority: 'high' },
  );
  try {
    await client.send(new sdk.DescribeSecretCommand({ SecretId: 'none' }), { abortSignal: signal });
    if (request === undefined) throw new TypeError('the SDK made no request');
    const { protocol, hostname, port, path } = request;
    const origin = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`;
    const url = path === '/' ? origin : `${origin}${path}`;
    const proxy = proxyVariable(new URL(origin), process.env);
    const asked = { url, ...(proxy !== undefined && { proxy }) };
    const looking = Object.assign(request, {
      method: 'HEAD',
      headers: { host: new URL(origin).host },
      body: undefined,
    });
    try {
      const { response } = await requestHandler.handle(looking, { abortSignal: signal });
      (response.body as Readable | undefined)?.resume();
      const date = response.headers['date'];
      return { ...asked, answered: true, ...(date !== undefined && { date }) };
    } catch {
      return { ...asked, answered: false };
    }
  } finally {
    client.destroy();
  }
}
