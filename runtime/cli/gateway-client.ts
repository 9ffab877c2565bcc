import { realpath } from 'node:fs/promises';
import { type RunningGateway, runningGateway } from '../gateway/running.ts';
import { configFile, noConfig } from './config-file.ts';
import { pinnedFetch } from './pinned-fetch.ts';
import type { Terminal } from './terminal.ts';

/** How a command finds the gateway. */
export interface GatewayOptions {
  readonly config?: string;
  /** Another gateway than that of the config; its token is in `HOLDFAST_TOKEN`. */
  readonly url?: string;
}

/** What it takes to ask a gateway for something. */
type Reached = Pick<RunningGateway, 'url' | 'token' | 'certificate'>;

/** What went wrong at the gateway. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Longer than anything that the gateway does: a restart that is slow at every step. */
const LONGEST_MS = 180_000;

/** The file of a config as the gateway knows it. */
export async function configOf(named: string | undefined, terminal: Terminal): Promise<string> {
  const file = configFile(named, terminal);
  if (file === undefined) throw noConfig();
  // The same config by whatever link.
  return realpath(file).catch(() => file);
}

/** The gateway of a config, or the one that is named. */
export async function gatewayOf({ config, url }: GatewayOptions, terminal: Terminal): Promise<Reached> {
  const { HOLDFAST_TOKEN: token } = terminal.env;
  if (url !== undefined) {
    if (token === undefined || token === '') {
      throw new GatewayError('UNAUTHORIZED', 'put the token of that gateway into HOLDFAST_TOKEN');
    }
    return { url: url.replace(/\/+$/, ''), token };
  }
  const running = await runningGateway(await configOf(config, terminal), terminal.env);
  if (running !== undefined) return running;
  throw new GatewayError('NOT_RUNNING', 'no gateway of this config runs; start it: holdfast gateway start');
}

/** Asks the gateway for something; resolves with what the answer has. */
export async function request(
  { url, token, certificate }: Reached,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  let response: Pick<Response, 'ok' | 'text'>;
  try {
    const send = certificate === undefined ? fetch : await pinnedFetch(certificate);
    response = await send(url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(LONGEST_MS),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    throw new GatewayError(
      'NOT_RUNNING',
      `${url} does not answer (${cause?.code ?? (error as Error).message})`,
    );
  }
  const text = await response.text();
  const found: unknown = text === '' ? undefined : JSON.parse(text);
  if (response.ok) return found;
  const { code, message } = (found as { error: { code: string; message: string } }).error;
  throw new GatewayError(code, message);
}

/** `counter/a` as the path of its instance. */
export function pathOf(address: string): string {
  const slash = address.indexOf('/');
  if (slash < 1 || slash === address.length - 1) {
    throw new GatewayError(
      'BAD_REQUEST',
      `an address is <agent>/<id>, such as trading-agent/btc, not ${address}`,
    );
  }
  // An id may hold what a path may not; one that is encoded already stays.
  const [agent, id] = [address.slice(0, slash), address.slice(slash + 1)].map((part) =>
    encodeURIComponent(decoded(part)),
  );
  return `/v1/agents/${agent}/${id}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
