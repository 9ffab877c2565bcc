import { createRateLimit, type RateLimit } from '../base/rate-limit.ts';
import { Turns } from '../base/turns.ts';
import type { Clock } from '../base/clock.ts';
import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ResolvedAgent, ResolvedMcpServer } from '../config/resolve.ts';
import { Connection, type ConnectionState } from './connection.ts';
import { argumentsTooLarge, callTimedOut, mcpBusy, toolDenied, type Scrub } from './mcp-errors.ts';
import type { HostFetch } from './call-fetch.ts';
import { openHttp, plainFetch } from './open-http.ts';
import { openStdio } from './open-stdio.ts';
import { callTool } from './tool-call.ts';
import { isAllowedTool } from './tool-rules.ts';

/** Who calls a tool: one incarnation of an instance, in its pool. */
export interface ToolCaller {
  /** `agent/id` */
  readonly address: string;
  /** The name of its agent. */
  readonly agent: string;
  readonly incarnation: number;
  /** The `threadId` of the pool. */
  readonly pool: string;
}

/** A call as an agent asks for it. All of it is the thread's own word. */
export interface AskedTool {
  readonly server: string;
  readonly tool: string;
  /** The arguments as JSON. */
  readonly args: string;
}

/** A call that has ended, or was refused. */
export interface ToolCallRecord extends Omit<ToolCaller, 'agent'>, Omit<AskedTool, 'args'> {
  /** Milliseconds of the clock at which it began. */
  readonly at: number;
  readonly ms: number;
  readonly outcome: 'ok' | HoldfastErrorCode | 'ERROR';
}

/** A server as the status shows it. */
export interface McpServerStatus {
  readonly agent: string;
  /** The agent's name for the server. */
  readonly server: string;
  /** `idle`: no call has needed it yet. `failed`: the next call tries again, after a pause of at most 12 s. */
  readonly state: ConnectionState;
  /** How often it was started, or connected to, after the first time. */
  readonly restarts: number;
  /** The number of its tools, allowed or not; 0 while it is not connected. */
  readonly tools: number;
  /** The calls that run. */
  readonly running: number;
  /** The calls that wait for their turn. */
  readonly waiting: number;
}

export interface McpServersOptions {
  readonly agents: readonly Pick<ResolvedAgent, 'name' | 'mcp'>[];
  readonly clock: Clock;
  /** The runtime's logger, scrubbed. */
  readonly logger: Logger;
  /** Takes the values of secrets out of what servers say. */
  readonly scrub: Scrub;
  /**
   * A fetch with the secret of a grant of the agent, by the rules of that, on behalf of all its instances. Called once,
   * at the first connection.
   */
  readonly fetchWith: (agent: string, server: string, label: string) => HostFetch;
  /** Called when a call has ended, or was refused. */
  readonly ended: (record: ToolCallRecord) => void;
}

interface Server {
  readonly agent: string;
  readonly config: ResolvedMcpServer;
  readonly connection: Connection;
  readonly turns: Turns;
  /** Made at the first call. */
  limit?: RateLimit;
}

/** Milliseconds for which the list of tools of a service is taken as it is; it cannot tell that it has changed. */
const LIST_MS = 300_000;
/** What a call takes beside its arguments, about. */
const CALL_BYTES = 1024;
/** The bytes of calls that may wait for one server. */
const WAITING_BYTES = 16 * 1024 * 1024;

/** The MCP servers of all agents, and the calls that the host makes on behalf of instances. */
export class McpServers {
  readonly #options: McpServersOptions;
  /** By agent, then by the agent's name for the server. */
  readonly #servers: ReadonlyMap<string, ReadonlyMap<string, Server>>;
  /** The calls that run, by the address of the caller. */
  readonly #calls = new Map<string, Set<AbortController>>();
  #stopped = false;

  constructor(options: McpServersOptions) {
    this.#options = options;
    this.#servers = new Map(
      options.agents.flatMap(({ name, mcp = [] }) =>
        mcp.length === 0
          ? []
          : [[name, new Map(mcp.map((config) => [config.name, this.#server(name, config)]))]],
      ),
    );
  }

  #server(agent: string, config: ResolvedMcpServer): Server {
    const { clock, logger, scrub, fetchWith } = this.#options;
    const { name: server, at, startTimeoutMs, maxConcurrent } = config;
    let send: HostFetch | undefined;
    const connection = new Connection({
      server,
      clock,
      startTimeoutMs,
      scrub,
      ...('url' in at && { listMs: LIST_MS }),
      open: () => {
        if (!('url' in at)) return openStdio(agent, at, config, { clock, logger });
        send ??= at.secret === undefined ? plainFetch : fetchWith(agent, server, at.secret);
        return openHttp(at, config, send);
      },
      failed: (error) =>
        logger.warn({ agent, mcp: server, error }, 'an MCP server failed; the next call tries it again'),
    });
    return { agent, config, connection, turns: new Turns(maxConcurrent, WAITING_BYTES) };
  }

  /**
   * Calls a tool for an instance. Rejects with `MCP_TOOL_DENIED`, `MCP_TOOL_FAILED`, `MCP_FAILED`, `MCP_BUSY`,
   * `MESSAGE_TOO_LARGE`, `ASK_TIMEOUT`, `RUNTIME_STOPPED`, `AGENT_STOPPED` or the signal's reason.
   */
  async call(caller: ToolCaller, asked: AskedTool, signal: AbortSignal): Promise<unknown> {
    const { clock, scrub, ended } = this.#options;
    const at = clock.now();
    const { address, incarnation, pool } = caller;
    const { server, tool } = asked;
    let outcome: ToolCallRecord['outcome'] = 'ok';
    try {
      return await this.#call(caller, asked, signal);
    } catch (error) {
      outcome = error instanceof HoldfastError ? error.code : 'ERROR';
      throw scrub(error);
    } finally {
      ended({ address, incarnation, pool, server, tool, at, ms: clock.now() - at, outcome });
    }
  }

  async #call(caller: ToolCaller, asked: AskedTool, given: AbortSignal): Promise<unknown> {
    if (this.#stopped) throw stopped();
    const server = this.#servers.get(caller.agent)?.get(asked.server);
    if (server === undefined || !isAllowedTool(asked.tool, server.config.tools)) throw toolDenied(asked);
    const { config, turns } = server;
    const bytes = Buffer.byteLength(asked.args);
    if (bytes > config.maxArgumentBytes) throw argumentsTooLarge(asked, config.maxArgumentBytes);
    const kept = bytes + CALL_BYTES;
    this.#admit(server, kept);
    const { signal, over } = this.#running(caller.address, asked, config.timeoutMs, given);
    try {
      return await turns.run(kept, signal, () =>
        callTool({ ...asked, connection: server.connection, scrub: this.#options.scrub, config, signal }),
      );
    } finally {
      over();
    }
  }

  #admit(server: Server, bytes: number): void {
    const { config, turns } = server;
    if (turns.isFull(bytes)) throw mcpBusy(config.name, 'has as many calls waiting as are kept');
    if (config.rate === undefined) return;
    server.limit ??= createRateLimit(config.rate);
    const ms = server.limit.admit(this.#options.clock.now());
    if (ms > 0)
      throw mcpBusy(config.name, `lets no more calls begin for ${Math.ceil(ms)} ms, by its \`rate\``);
  }

  /** A signal for the call, which aborts with its caller, at its deadline, and with its incarnation. */
  #running(
    address: string,
    asked: AskedTool,
    timeoutMs: number,
    given: AbortSignal,
  ): { readonly signal: AbortSignal; readonly over: () => void } {
    const { clock } = this.#options;
    const ending = new AbortController();
    const giveUp = (): void => ending.abort(given.reason);
    const timer = clock.setTimeout(() => ending.abort(callTimedOut(asked, timeoutMs)), timeoutMs);
    const calls = this.#calls.get(address) ?? new Set();
    this.#calls.set(address, calls.add(ending));
    given.addEventListener('abort', giveUp, { once: true });
    if (given.aborted) giveUp();
    return {
      signal: ending.signal,
      over: () => {
        clock.clearTimeout(timer);
        given.removeEventListener('abort', giveUp);
        calls.delete(ending);
        if (calls.size === 0 && this.#calls.get(address) === calls) this.#calls.delete(address);
      },
    };
  }

  /** The incarnation at an address has ended, and with it its calls. */
  endCalls(address: string): void {
    const calls = this.#calls.get(address);
    if (calls === undefined) return;
    this.#calls.delete(address);
    const reason = new HoldfastError(
      'AGENT_STOPPED',
      `"${address}" has ended, and with it its calls of tools.`,
    );
    for (const call of calls) call.abort(reason);
  }

  /** Whether an agent has a server. */
  get any(): boolean {
    return this.#servers.size > 0;
  }

  status(): McpServerStatus[] {
    return this.#all().map(({ agent, config, connection, turns }) => ({
      agent,
      server: config.name,
      state: connection.state,
      restarts: connection.restarts,
      tools: connection.tools,
      running: turns.running,
      waiting: turns.waiting,
    }));
  }

  /** Ends all calls and all servers; resolves when they have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const calls of this.#calls.values()) for (const call of calls) call.abort(stopped());
    await Promise.all(this.#all().map(({ connection }) => connection.stop()));
  }

  #all(): Server[] {
    return [...this.#servers.values()].flatMap((servers) => Array.from(servers.values()));
  }
}

function stopped(): HoldfastError {
  return new HoldfastError('RUNTIME_STOPPED', 'the runtime is stopping, and calls no more tools');
}
