import { directFetch, isThisMachine } from '../gateway/direct-fetch.ts';
import { GatewayError } from '../gateway/gateway-error.ts';
import type { Readiness } from '../gateway/readiness.ts';
import { type RunningGateway, runningGateway } from '../gateway/running.ts';
import { configFile, noConfig } from './config-file.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** How a command finds the gateway. */
export interface GatewayOptions {
  readonly config?: string;
  /** Another gateway than that of the config; its token is in `HOLDFAST_TOKEN`. */
  readonly url?: string;
}

/** What it takes to ask a gateway for something. */
type Reached = Pick<RunningGateway, 'url' | 'token' | 'certificate'> & {
  /** By an address that somebody gave, with a token of theirs. */
  readonly isNamed?: boolean;
};

/** Longer than anything that the gateway does: a restart that is slow at every step. */
const LONGEST_MS = 290_000;

/** The file of a config as it is named: a link stays the same config wherever it leads. */
export function configOf(named: string | undefined, terminal: Terminal): string {
  const file = configFile(named, terminal);
  if (file === undefined) throw noConfig();
  return file;
}

/** The gateway of a config, or the one that is named. */
export async function gatewayOf({ config, url }: GatewayOptions, terminal: Terminal): Promise<Reached> {
  if (url !== undefined) return named(url, terminal);
  const running = await runningGateway(configOf(config, terminal), terminal.env);
  if (running !== undefined) return running;
  throw new GatewayError(
    'NOT_RUNNING',
    'no gateway of this config is running; start one: holdfast gateway start',
  );
}

function named(given: string, { env }: Terminal): Reached {
  const { HOLDFAST_TOKEN: token } = env;
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new UsageError('--url takes an address such as https://agents.example:18789, without credentials');
  }
  if (token === undefined || token === '') {
    throw new GatewayError('UNAUTHORIZED', 'put the token of that gateway into HOLDFAST_TOKEN');
  }
  // Whoever sends it would print it with the error.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new GatewayError(
      'UNAUTHORIZED',
      'HOLDFAST_TOKEN contains characters that no token has, such as a space or a line break',
    );
  }
  return { url: given.replace(/\/+$/, ''), token, isNamed: true };
}

/** What a gateway has answered. */
type Answer = Pick<Response, 'ok' | 'status'> & { readonly text: string };

async function asked(reached: Reached, method: string, path: string, body: unknown): Promise<Answer> {
  const { url, token } = reached;
  try {
    const send = await senderTo(reached);
    const response = await send(url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      redirect: 'manual',
      signal: AbortSignal.timeout(LONGEST_MS),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { ok: response.ok, status: response.status, text: await response.text() };
  } catch (error) {
    const { cause, code, name } = error as { cause?: { code?: string }; code?: string; name?: string };
    const isLate = name === 'TimeoutError' || name === 'AbortError';
    const why = isLate ? `within ${LONGEST_MS} ms` : (cause?.code ?? code ?? name);
    throw new GatewayError('NOT_RUNNING', `${url} does not answer (${String(why)})`);
  }
}

/** Whether requests may be sent to the gateway, and why not. */
export async function readinessOf(reached: Reached): Promise<Partial<Readiness>> {
  const { text } = await asked(reached, 'GET', '/readyz', undefined).catch(() => ({ text: '' }));
  const found = json(text) as Partial<Readiness> | null | undefined;
  return typeof found?.ready === 'boolean' ? found : { ready: false };
}

/** Asks the gateway for something; resolves with what the answer has. */
export async function request(
  reached: Reached,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { url } = reached;
  const answer = await asked(reached, method, path, body);
  const found = answer.text === '' ? undefined : json(answer.text);
  if (answer.ok && (answer.text === '' || found !== undefined)) return found;
  const { code, message, retryable } =
    (found as { error?: Record<string, unknown> } | undefined)?.error ?? {};
  if (typeof code !== 'string' || typeof message !== 'string') {
    const what = `the server at ${url} is not a Holdfast gateway (status ${answer.status})`;
    throw new GatewayError('NO_GATEWAY', `${what}; check the address, and any proxy on the way`);
  }
  throw new GatewayError(code, inCommandWords(code, message, reached), {
    isAnswer: true,
    retryable: retryable === true,
  });
}

/** What is said to those who speak HTTP, for those who speak to the command. */
function inCommandWords(code: string, message: string, { isNamed }: Reached): string {
  if (code === 'UNAUTHORIZED') {
    const whose = isNamed === true ? 'in HOLDFAST_TOKEN' : 'that it left for its user; try again';
    return `the gateway does not know the token ${whose}`;
  }
  return message
    .replace(
      'start it with PUT, or send with ?activate=true',
      'start it with agents start, or add --activate',
    )
    .replace(/^the request body is not valid/, 'the input is not valid')
    .replace(/^the query is not valid/, 'an option is not valid')
    .replace(/^a request body may have/, 'an event or input may have')
    .replace(
      'resume() it (a gateway: POST …/resume, holdfast agents resume) or stop() it',
      'resume it with agents resume, or stop it with agents stop',
    )
    .replaceAll(/\btimeoutMs\b/g, '--timeout')
    .replaceAll('?activate=true', '--activate');
}

/** What is on this machine is asked itself; on the way to another one there may be a proxy. */
async function senderTo({ url, certificate, isNamed }: Reached): Promise<typeof fetch> {
  const isDirect = isNamed !== true || isThisMachine(new URL(url).hostname);
  return isDirect ? ((await directFetch(url, certificate)) as typeof fetch) : fetch;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
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
