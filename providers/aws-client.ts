import type { AgentOptions } from 'node:http';
import type * as Sdk from '@aws-sdk/client-secrets-manager';
import { proxyEnv } from './proxy-env.ts';

export interface ClientLimits {
  readonly connectTimeoutMs: number;
  /** For one attempt. */
  readonly requestTimeoutMs: number;
  readonly maxSockets: number;
}

interface HandlerOptions {
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly throwOnRequestTimeout: true;
  readonly httpAgent: AgentOptions;
  readonly httpsAgent: AgentOptions;
}

/** What every client of AWS is made with. The SDK hands all of it on to where it looks for the host's credentials. */
export interface CommonConfig {
  readonly requestHandler: HandlerOptions;
  /**
   * The SDK reads files of credentials once in the life of a process, whoever asks. With this a look for credentials reads
   * them again: they are looked for anew only when they have expired or were refused.
   */
  readonly ignoreCache: true;
  /** For the clients of SSO, which take nothing over from the one that needs the credentials. */
  readonly clientConfig: { readonly requestHandler: HandlerOptions };
}

/** Clients go through the proxies of the environment, which is looked at now. */
export function commonConfig(limits: ClientLimits, longestAnswerMs = limits.requestTimeoutMs): CommonConfig {
  const handler = handlerOptions(limits, limits.requestTimeoutMs);
  return {
    requestHandler: handlerOptions(limits, longestAnswerMs),
    ignoreCache: true,
    clientConfig: { requestHandler: handler },
  };
}

function handlerOptions(
  { connectTimeoutMs, maxSockets }: ClientLimits,
  requestTimeout: number,
): HandlerOptions {
  const proxy = proxyEnv(process.env);
  const agent: AgentOptions = {
    keepAlive: true,
    maxSockets,
    ...(proxy !== undefined && { proxyEnv: { ...proxy } }),
  };
  return {
    connectionTimeout: connectTimeoutMs,
    requestTimeout,
    // Without it a request time out is only a warning and the call goes on waiting.
    throwOnRequestTimeout: true,
    httpAgent: agent,
    httpsAgent: agent,
  };
}

/** A client of the same settings, for the host or for a role. */
export type ClientConfig = Sdk.SecretsManagerClientConfig & CommonConfig;
