import { randomUUID } from 'node:crypto';
import type { Caller } from './token-access.ts';

const SESSION_HEADER = 'mcp-session-id';
const LONGEST_SESSION = 64;

interface Message {
  readonly method?: unknown;
  readonly id?: unknown;
  readonly params?: { readonly requestId?: unknown };
}

/** A request that may be a call of a tool. */
export interface McpCall {
  readonly isCall: boolean;
  /** Aborted when the client goes, or cancels the call. */
  readonly signal: AbortSignal;
  /** The answer was given, or nobody takes the rest of it. Idempotent. */
  readonly end: () => void;
}

/**
 * The calls of tools that are under way, so that a cancel reaches them. Clients of the older generation say it in a request of
 * its own; they get a session for that, which is a name and nothing else: nothing is kept for it. Others close their request.
 */
export class McpCalls {
  readonly #underWay = new Map<string, AbortController>();

  /** The session of a request; a new one for a client that begins one. */
  sessionOf(request: Request, message: unknown): string | undefined {
    const given = request.headers.get(SESSION_HEADER) ?? undefined;
    if ((message as Message | undefined)?.method === 'initialize') return randomUUID();
    return given !== undefined && given.length <= LONGEST_SESSION ? given : undefined;
  }

  begin(caller: Caller, session: string | undefined, message: unknown, client: AbortSignal): McpCall {
    const { method, id } = (message ?? {}) as Message;
    if (method !== 'tools/call') return { isCall: false, signal: client, end: () => {} };
    const key = keyOf(caller, session, id);
    if (key === undefined || this.#underWay.has(key)) return { isCall: true, signal: client, end: () => {} };
    const ending = new AbortController();
    this.#underWay.set(key, ending);
    return {
      isCall: true,
      signal: AbortSignal.any([client, ending.signal]),
      // Another call may have its name by now.
      end: () => void (this.#underWay.get(key) === ending && this.#underWay.delete(key)),
    };
  }

  /** Cancels the call that the message names, if it is one that cancels. */
  cancel(caller: Caller, session: string | undefined, message: unknown): void {
    const { method, params } = (message ?? {}) as Message;
    if (method !== 'notifications/cancelled') return;
    const key = keyOf(caller, session, params?.requestId);
    if (key !== undefined) this.#underWay.get(key)?.abort();
  }

  /** The answer to a client that begins a session, with its name. */
  named(response: Response, session: string | undefined, message: unknown): Response {
    if (session !== undefined && response.ok && (message as Message | undefined)?.method === 'initialize')
      response.headers.set(SESSION_HEADER, session);
    return response;
  }
}

function keyOf({ name, digest }: Caller, session: string | undefined, id: unknown): string | undefined {
  if (session === undefined || (typeof id !== 'string' && typeof id !== 'number')) return undefined;
  return JSON.stringify([name, digest.toString('base64'), session, id]);
}
