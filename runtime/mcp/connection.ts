import type { Client, Tool, Transport } from '@modelcontextprotocol/client';
import { within, type Clock } from '../base/clock.ts';
import type { HoldfastError } from '../base/errors.ts';
import { version } from '../base/version.ts';
import { firstLine, mcpFailed, ownWithin, type Scrub } from './mcp-errors.ts';
import { wait } from './wait.ts';

/** A transport, made for one connection. */
export interface OpenedTransport {
  readonly transport: Transport;
  /** Why the connection has ended, in words, as far as the transport knows. */
  readonly reason: () => string | undefined;
}

export interface ConnectionOptions {
  /** The agent's name for the server. */
  readonly server: string;
  readonly clock: Clock;
  readonly startTimeoutMs: number;
  /** Milliseconds for which a list of tools is taken as it is; absent: the server tells when it changes. */
  readonly listMs?: number;
  /** Takes the values of secrets out of what the server says. */
  readonly scrub: Scrub;
  readonly open: () => Promise<OpenedTransport>;
  /** Called when the server could not be reached, or has ended a connection that stood. */
  readonly failed: (error: HoldfastError) => void;
}

/** `idle`: not needed yet. `failed`: the next call tries again, after a pause. */
export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'failed' | 'stopped';

/** What is kept of a tool: its arguments, of which the protocol puts some into headers. */
export type ListedTool = Pick<Tool, 'name' | 'inputSchema'>;

/** A client that is connected, and the server's tools by their names. */
export interface Connected {
  readonly client: Client;
  readonly tools: ReadonlyMap<string, ListedTool>;
  /** Why the connection has ended, in words, if it has. */
  readonly reason: () => string | undefined;
}

interface Live {
  readonly client: Client;
  readonly reason: Connected['reason'];
  readonly at: number;
  tools: ReadonlyMap<string, ListedTool>;
  listedAt: number;
  listing?: Promise<void> | undefined;
}

/** The pauses before another attempt, as before another start of an instance: doubling, plus 0 to 20 %. */
const PAUSE = { minMs: 200, maxMs: 10_000, jitter: 0.2 };
/** Milliseconds after which a connection counts as one that works. */
const STEADY_MS = 30_000;
/** The share of the start that an old server gets to refuse a question of the new protocol. */
const PROBE = 1 / 3;
/** Milliseconds between two looks for a tool that is not in the list. */
const LOOK_AGAIN_MS = 5000;
/** The code of MCP for a request whose headers are not those that the tool's schema asks for. */
const HEADER_MISMATCH = -32_020;
/** The most pages of the list of tools. */
const PAGES = 16;

/** The longest timer: this side has deadlines of its own. */
const UNLIMITED_MS = 2 ** 31 - 1;

/** The connection to one server: made at the first call, and again after it has ended. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #stopping = new AbortController();
  #live: Live | undefined;
  #opening: Promise<Live> | undefined;
  #failures = 0;
  #notBefore = 0;
  #opened = 0;
  /** An old server; it is not asked the question of the new protocol again. */
  #legacy = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    if (this.#stopping.signal.aborted) return 'stopped';
    if (this.#live !== undefined) return 'connected';
    if (this.#opening !== undefined) return 'connecting';
    return this.#failures > 0 ? 'failed' : 'idle';
  }

  /** How often a connection was made after the first. */
  get restarts(): number {
    return Math.max(0, this.#opened - 1);
  }

  /** The number of tools that the server has listed; 0 while there is no connection. */
  get tools(): number {
    return this.#live?.tools.size ?? 0;
  }

  /** Resolves with the connection, in whose list a tool of that name is, if the server has one. */
  async need(tool: string): Promise<Connected> {
    const live = await (this.#live ?? (this.#opening ??= this.#open()));
    const age = this.#options.clock.now() - live.listedAt;
    if (!live.tools.has(tool) && age > LOOK_AGAIN_MS) await this.#lookAgain(live);
    else if (age > (this.#options.listMs ?? Infinity)) void this.#list(live).catch(() => {});
    return live;
  }

  async #lookAgain(live: Live): Promise<void> {
    try {
      await this.#list(live);
    } catch (error) {
      const { server, scrub } = this.#options;
      throw ownWithin(error) ?? mcpFailed(server, `did not list its tools: ${firstLine(error, scrub)}`);
    }
  }

  /**
   * Whether an old service has forgotten the session, so that it has not looked at the request; then the connection is
   * given up, and the next one begins another.
   */
  forgotten(client: Client, error: unknown): boolean {
    if (client.getProtocolEra() !== 'legacy' || !isUnknownSession(error)) return false;
    // It is not closed: its other calls are told the same.
    if (this.#live?.client === client) this.#live = undefined;
    return true;
  }

  /** Whether the service says that a tool has changed since it was listed; then the list is looked at again. */
  async outdated(client: Client, error: unknown): Promise<boolean> {
    const live = this.#live;
    const { code } = (error ?? {}) as { readonly code?: unknown };
    if (code !== HEADER_MISMATCH || live?.client !== client) return false;
    await this.#lookAgain(live);
    return true;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(mcpFailed(this.#options.server, 'is not used any more: the runtime is stopping'));
    const live = this.#live;
    this.#live = undefined;
    const opening = this.#opening?.catch(() => {});
    await Promise.all([live?.client.close().catch(() => {}), opening]);
  }

  async #open(): Promise<Live> {
    const { server, clock, scrub, failed } = this.#options;
    const { signal } = this.#stopping;
    try {
      signal.throwIfAborted();
      await wait(clock, this.#notBefore - clock.now(), signal);
      this.#opened += 1;
      const live = await this.#connect().catch((error: unknown) => {
        if (this.#legacy || !isRefusedQuestion(error)) throw error;
        // It has ended because of a question that it does not know.
        this.#legacy = true;
        return this.#connect();
      });
      signal.throwIfAborted();
      this.#live = live;
      return live;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const why = ownWithin(error) ?? mcpFailed(server, `could not be reached: ${firstLine(error, scrub)}`);
      // Another version of it may speak another protocol.
      this.#legacy = false;
      this.#pause();
      failed(why);
      throw why;
    } finally {
      this.#opening = undefined;
    }
  }

  async #connect(): Promise<Live> {
    const { clock, startTimeoutMs, listMs, open } = this.#options;
    const { Client } = await import('@modelcontextprotocol/client');
    const { transport, reason } = await open();
    const probe = { timeoutMs: Math.ceil(startTimeoutMs * PROBE) };
    const client = new Client(
      { name: 'holdfast', version },
      {
        capabilities: {},
        versionNegotiation: { mode: 'auto', probe },
        inputRequired: { autoFulfill: false },
        // A service would have to keep a line open to tell that.
        ...(listMs === undefined && {
          listChanged: { tools: { autoRefresh: false, onChanged: () => this.#changed(client) } },
        }),
      },
    );
    client.onclose = () => this.#closed(client, reason() ?? 'the connection was closed');
    const close = async (): Promise<void> => {
      await client.close().catch(() => {});
      // While it is asked which protocol it speaks, the client does not have it yet.
      await transport.close().catch(() => {});
    };
    const abort = (): void => void close();
    const { signal } = this.#stopping;
    signal.addEventListener('abort', abort, { once: true });
    const begin = async (): Promise<Live> => {
      signal.throwIfAborted();
      await client.connect(transport, {
        timeout: UNLIMITED_MS,
        ...(this.#legacy && { prior: { kind: 'legacy' } }),
      });
      const tools = await listOf(client, startTimeoutMs);
      this.#legacy = client.getProtocolEra() === 'legacy';
      return { client, tools, reason, at: clock.now(), listedAt: clock.now() };
    };
    const late = (): Error => new Error(`it did not answer within ${startTimeoutMs} ms`);
    try {
      return await within(clock, startTimeoutMs, begin(), late);
    } catch (error) {
      // Afterwards it has ended in any case.
      const why = reason();
      await close();
      throw why === undefined || isRefusedQuestion(error) ? error : new Error(why, { cause: error });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #closed(client: Client, why: string): void {
    const live = this.#live;
    if (live?.client !== client) return;
    this.#live = undefined;
    if (this.#options.clock.now() - live.at > STEADY_MS) this.#failures = 0;
    this.#pause();
    this.#options.failed(mcpFailed(this.#options.server, `has ended: ${why}`));
  }

  #pause(): void {
    const { clock } = this.#options;
    const ms = Math.min(PAUSE.maxMs, PAUSE.minMs * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    this.#notBefore = clock.now() + ms * (1 + PAUSE.jitter * clock.random());
  }

  #changed(client: Client): void {
    if (this.#live?.client === client) void this.#list(this.#live).catch(() => {});
  }

  /** One at a time; those who ask in the meantime wait for the same. */
  #list(live: Live): Promise<void> {
    return (live.listing ??= (async () => {
      try {
        live.tools = await listOf(live.client, this.#options.startTimeoutMs);
        live.listedAt = this.#options.clock.now();
      } finally {
        live.listing = undefined;
      }
    })());
  }
}

/**
 * The list as the server has it. The client's own way to it looks at more of a tool than is used here: at the schema of
 * its result, whose patterns would run in the host over what the server says.
 */
async function listOf(client: Client, timeout: number): Promise<ReadonlyMap<string, ListedTool>> {
  const all = new Map<string, ListedTool>();
  if (client.getServerCapabilities()?.tools === undefined) return all;
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const { tools, nextCursor } = await client.request({ method: 'tools/list', params }, { timeout });
    for (const { name, inputSchema } of tools) all.set(name, { name, inputSchema });
    if (nextCursor === undefined) return all;
    cursor = nextCursor;
  }
  throw new Error(`its list of tools has more than ${PAGES} pages`);
}

/** Whether a service does not know, or does not know any more, the session that a request names. */
function isUnknownSession(error: unknown): boolean {
  const { data } = (error ?? {}) as { readonly data?: unknown };
  const { status, text } = (data ?? {}) as { readonly status?: unknown; readonly text?: unknown };
  return status === 404 || (status === 400 && typeof text === 'string' && /session/i.test(text));
}

/** Whether the server went away at the question by which a client finds out what protocol it speaks. */
function isRefusedQuestion(error: unknown): boolean {
  return error instanceof Error && (error as { readonly code?: unknown }).code === 'ERA_NEGOTIATION_FAILED';
}
