import type { ResolvedPool } from '../config/resolve.ts';
import { isHeaders, type TraceHeaders } from '../mailbox/trace.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Seats } from './seats.ts';

/** An instance that calls a tool of an MCP server, as its host knows it. */
export interface ToolUser {
  /** `agent/id` */
  readonly address: string;
  /** The name of its agent. */
  readonly agent: string;
  readonly incarnation: number;
  /** The `threadId` of the pool. */
  readonly pool: string;
}

/** What an instance asks for; every field is the thread's own word. */
export interface ToolRequest {
  readonly server: string;
  readonly tool: string;
  /** The arguments as JSON. */
  readonly args: string;
}

/** Calls a tool on behalf of an instance. */
export type CallTool = (
  user: ToolUser,
  request: ToolRequest,
  signal: AbortSignal,
  /** The trace that the call is a part of. */
  headers: TraceHeaders | undefined,
) => Promise<unknown>;

export interface ToolCallsOptions {
  readonly pool: Pick<ResolvedPool, 'threadId'>;
  readonly seats: Pick<Seats, 'at'>;
  readonly callTool: CallTool;
}

/** A thread's request to call a tool; every field is the thread's own word. */
export interface ToolCallRequest extends ToolRequest {
  readonly slot: number;
  readonly incarnation: number;
  /** The number of the call among what the thread has asked its host for. */
  readonly n: number;
  readonly trace: unknown;
}

/** The calls of tools that the instances of one thread wait for. */
export class ToolCalls {
  readonly #options: ToolCallsOptions;
  /** The calls by their number in the thread. */
  readonly #waiting = new Map<number, AbortController>();

  constructor(options: ToolCallsOptions) {
    this.#options = options;
  }

  async call({ slot, incarnation, n, trace, ...request }: ToolCallRequest): Promise<unknown> {
    const { pool, seats, callTool } = this.#options;
    const seat = seats.at(slot);
    const here = seat !== undefined && seat.instance.holds(seat) ? seat.instance : undefined;
    if (here === undefined || here.incarnation !== incarnation) {
      throw new HoldfastError('AGENT_STOPPED', 'the instance that called a tool has ended');
    }
    const user = { address: here.address, agent: here.agent.name, incarnation, pool: pool.threadId };
    const ending = new AbortController();
    this.#waiting.set(n, ending);
    try {
      return await callTool(user, request, ending.signal, isHeaders(trace) ? trace : undefined);
    } finally {
      if (this.#waiting.get(n) === ending) this.#waiting.delete(n);
    }
  }

  /** Cancels a call for which nobody in the thread waits any more. */
  giveUp(n: number): void {
    this.#waiting
      .get(n)
      ?.abort(
        new HoldfastError('AGENT_STOPPED', 'the actor that called a tool does not wait for it any more'),
      );
  }
}
