import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { GATEWAY_SCOPES, ResolvedGateway } from '../config/gateway-schema.ts';
import { createRateLimit, type RateLimit } from '../base/rate-limit.ts';
import { HttpError } from './http-error.ts';

export type Scope = (typeof GATEWAY_SCOPES)[number];

/** A client that came with a token. */
export interface Caller {
  readonly name: string;
  readonly agents: readonly string[];
  readonly allow: readonly Scope[];
  readonly limit: RateLimit | undefined;
  /** The digest of the token: another token of the same name is another caller. */
  readonly digest: Buffer;
}

/** The caller name of the user who started the gateway; no token of a config has it. */
export const OWNER = '';

/** A new token: 32 random bytes. */
export function newToken(): string {
  return `hf_${randomBytes(32).toString('base64url')}`;
}

/** The digest by which a config knows a token. */
export function digestOf(token: string): string {
  return hash('sha256', token);
}

/** Knows tokens by their digests, and what each may do. */
export class TokenAccess {
  readonly #known: readonly Caller[];
  readonly #clock: Pick<Clock, 'now'>;

  constructor(
    { tokens = {}, requestsPerSecond }: ResolvedGateway,
    ownerDigest: string,
    clock: Pick<Clock, 'now'>,
  ) {
    this.#clock = clock;
    const limit = (): RateLimit | undefined =>
      requestsPerSecond === undefined
        ? undefined
        : createRateLimit({ requests: requestsPerSecond, withinMs: 1000 });
    const owner: Caller = {
      name: OWNER,
      agents: ['*'],
      allow: ['read', 'send', 'manage', 'inspect', 'admin'],
      digest: Buffer.from(ownerDigest, 'hex'),
      limit: undefined,
    };
    const named = Object.entries(tokens).map(([name, { sha256, agents, allow }]): Caller => {
      return { name, agents, allow, digest: Buffer.from(sha256, 'hex'), limit: limit() };
    });
    this.#known = [owner, ...named];
  }

  /**
   * The caller that sends this `Authorization` header. A request that another process has counted is not counted
   * again.
   *
   * @throws {HttpError} 401 when it names nobody, 429 when they come too often
   */
  caller(authorization: string | undefined, isCounted = true): Caller {
    const [, token] = /^Bearer[ \t]+([\w.~+/-]+=*)[ \t]*$/i.exec(authorization ?? '') ?? [];
    const digest = hash('sha256', token ?? '', 'buffer');
    let found: Caller | undefined;
    // All are compared, whichever it is, so that the time tells nothing.
    for (const one of this.#known) if (timingSafeEqual(one.digest, digest)) found = one;
    if (token === undefined || found === undefined) {
      throw new HttpError(401, 'UNAUTHORIZED', 'send a token of this gateway: Authorization: Bearer <token>');
    }
    const wait = isCounted ? (found.limit?.admit(this.#clock.now()) ?? 0) : 0;
    if (wait > 0) {
      throw new HttpError(429, 'RATE_LIMITED', 'too many requests with this token', Math.ceil(wait / 1000));
    }
    return found;
  }

  /** The present rights of a caller who came with a token; undefined when the token is no longer known. */
  again({ name, digest }: Pick<Caller, 'name' | 'digest'>): Caller | undefined {
    return this.#known.find((one) => one.name === name && timingSafeEqual(one.digest, digest));
  }
}

/** The scopes in which another one is. */
const within: Readonly<Partial<Record<Scope, readonly Scope[]>>> = { inspect: ['operate', 'admin'] };

/** Whether the scope is allowed to a caller, for that agent. */
export function may({ agents, allow }: Caller, scope: Scope, agent?: string): boolean {
  const isAllowed = allow.includes(scope) || within[scope]?.some((wider) => allow.includes(wider)) === true;
  return isAllowed && (agent === undefined || agents.includes('*') || agents.includes(agent));
}

/** Why a caller may no longer have what it was given before; undefined when it may. */
export function refusedNow(
  access: Pick<TokenAccess, 'again'>,
  caller: Pick<Caller, 'name' | 'digest'>,
  scope: Scope,
  agent: string,
): HttpError | undefined {
  const now = access.again(caller);
  if (now === undefined) {
    return new HttpError(401, 'UNAUTHORIZED', 'the gateway no longer knows the token of this stream');
  }
  if (may(now, scope, agent)) return undefined;
  const message = `the token of this stream no longer allows ${scope} for the agent ${agent}`;
  return new HttpError(403, 'FORBIDDEN', message);
}

/**
 * Looks at the caller again before it gets a stream: its token may have been taken back while the instance started, and
 * what looks through the open streams then does not find this one.
 *
 * @throws {HttpError} 401, 403
 */
export function assertStill(...given: Parameters<typeof refusedNow>): void {
  const refused = refusedNow(...given);
  if (refused !== undefined) throw refused;
}
