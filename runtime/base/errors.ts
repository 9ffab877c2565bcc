import type { EventIssue } from './event-issue.ts';

/**
 * Every code a {@link HoldfastError} can carry. Codes are stable: match on them, never on messages. `docs/errors.md`
 * says what each one means and what to do about it.
 */
export type HoldfastErrorCode =
  | 'CONFIG_INVALID'
  | 'OPTION_INVALID'
  | 'AGENT_UNKNOWN'
  | 'AGENT_MODULE_NOT_FOUND'
  | 'AGENT_EXPORT_INVALID'
  | 'AGENT_START_FAILED'
  | 'ACTIVATION_LIMIT'
  | 'ADDRESS_TAKEN'
  | 'AGENT_STOPPED'
  | 'AGENT_QUARANTINED'
  | 'MAILBOX_FULL'
  | 'MESSAGE_UNCLONABLE'
  | 'MESSAGE_TOO_LARGE'
  | 'EVENT_RESERVED'
  | 'EVENT_INVALID'
  | 'REPLAY_REFUSED'
  | 'ASK_TIMEOUT'
  | 'ASK_UNANSWERED'
  | 'ASK_TOO_DEEP'
  | 'ID_REUSED'
  | 'ANSWER_NOT_KEPT'
  | 'REPLY_UNCLONABLE'
  | 'STREAM_INTERRUPTED'
  | 'NOT_MIRRORED'
  | 'POOL_EXHAUSTED'
  | 'THREAD_START_TIMEOUT'
  | 'THREAD_CRASHED'
  | 'THREAD_OUT_OF_MEMORY'
  | 'THREAD_HUNG'
  | 'PROCESS_CRASHED'
  | 'RUNTIME_STOPPED'
  | 'SECRET_NOT_GRANTED'
  | 'SECRET_NOT_FOUND'
  | 'SECRET_DENIED'
  | 'SECRET_UNAVAILABLE'
  | 'SECRET_RATE_LIMITED'
  | 'FETCH_FAILED'
  | 'MCP_FAILED'
  | 'MCP_BUSY'
  | 'MCP_TOOL_DENIED'
  | 'MCP_TOOL_FAILED'
  | 'SECRET_IN_SNAPSHOT'
  | 'STORE_FENCED'
  | 'STORE_FAILED'
  | 'STORE_LOCKED'
  | 'STORE_CORRUPT'
  | 'STORE_TOO_NEW'
  | 'STORE_NOT_A_FILE'
  | 'STATE_INCOMPATIBLE'
  | 'STATE_TOO_LARGE'
  | 'INVOKE_INTERRUPTED'
  | 'NOT_INVOKED'
  | 'STEP_UNDER_WAY'
  | 'STEP_NOT_KEPT'
  | 'ISOLATION_UNAVAILABLE'
  | 'CLUSTER_PLAIN'
  | 'NODE_UNREACHABLE'
  | 'NOT_LOCAL';

/**
 * Whether the same call may succeed later with the same caller, config, agents and grants. Each new code needs an entry
 * here.
 */
const retryable: Readonly<Record<HoldfastErrorCode, boolean>> = {
  CONFIG_INVALID: false,
  OPTION_INVALID: false,
  AGENT_UNKNOWN: false,
  AGENT_MODULE_NOT_FOUND: false,
  AGENT_EXPORT_INVALID: false,
  AGENT_START_FAILED: false,
  // An instance that ends by itself gives its place back.
  ACTIVATION_LIMIT: true,
  // Whoever holds the address may never end.
  ADDRESS_TAKEN: false,
  AGENT_STOPPED: false,
  AGENT_QUARANTINED: false,
  MAILBOX_FULL: true,
  MESSAGE_UNCLONABLE: false,
  MESSAGE_TOO_LARGE: false,
  EVENT_RESERVED: false,
  EVENT_INVALID: false,
  REPLAY_REFUSED: false,
  ASK_TIMEOUT: true,
  ASK_UNANSWERED: false,
  ASK_TOO_DEEP: false,
  ID_REUSED: false,
  ANSWER_NOT_KEPT: false,
  REPLY_UNCLONABLE: false,
  // The stream was cut, and not what was asked.
  STREAM_INTERRUPTED: true,
  NOT_MIRRORED: false,
  // Threads become free, and a pool that has given up tries again when its window has passed.
  POOL_EXHAUSTED: true,
  THREAD_START_TIMEOUT: true,
  // The instances of a thread are restarted, and another of them may have ended it.
  THREAD_CRASHED: true,
  THREAD_OUT_OF_MEMORY: true,
  THREAD_HUNG: true,
  // Whatever ends the process is left out.
  PROCESS_CRASHED: false,
  // A runtime that has stopped does not start again.
  RUNTIME_STOPPED: false,
  SECRET_NOT_GRANTED: false,
  SECRET_NOT_FOUND: false,
  SECRET_DENIED: false,
  SECRET_UNAVAILABLE: true,
  SECRET_RATE_LIMITED: true,
  FETCH_FAILED: true,
  // The server is started again, or reached again.
  MCP_FAILED: true,
  MCP_BUSY: true,
  MCP_TOOL_DENIED: false,
  MCP_TOOL_FAILED: false,
  SECRET_IN_SNAPSHOT: false,
  STORE_FENCED: false,
  STORE_FAILED: true,
  // Another process goes on with what is in it.
  STORE_LOCKED: false,
  STORE_CORRUPT: false,
  STORE_TOO_NEW: false,
  STORE_NOT_A_FILE: false,
  STATE_INCOMPATIBLE: false,
  STATE_TOO_LARGE: false,
  // Nobody knows how far it had come.
  INVOKE_INTERRUPTED: false,
  NOT_INVOKED: false,
  STEP_UNDER_WAY: false,
  // What it did is done, and would be done again.
  STEP_NOT_KEPT: false,
  ISOLATION_UNAVAILABLE: false,
  CLUSTER_PLAIN: false,
  NODE_UNREACHABLE: true,
  NOT_LOCAL: false,
};

/** The value of {@link HoldfastError.retryable} for a code; `false` for a text that is not one of the codes. */
export function isRetryable(code: string): boolean {
  return Object.hasOwn(retryable, code) && retryable[code as HoldfastErrorCode];
}

/** What errors of every copy of this class have: in the package, threads and `holdfast/agent` are bundles with their own. */
const BRAND = Symbol.for('holdfast.error');

/**
 * The one error class of Holdfast. `code` is stable, `message` says what to do next, `cause` is the underlying error if
 * there is one, and `retryable` says whether to try again.
 *
 * @example
 * ```ts
 * try { await runtime.spawn('trading-agent', { id: 'btc' }); }
 * catch (error) { if (error instanceof HoldfastError && error.code === 'ADDRESS_TAKEN') … }
 * ```
 * @see docs/errors.md
 */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: HoldfastErrorCode;
  /** What does not fit the schemas of the agent: only with `EVENT_INVALID`, and a reply that does not fit. */
  declare readonly issues?: readonly EventIssue[];

  constructor(
    code: HoldfastErrorCode,
    message: string,
    options?: ErrorOptions & { readonly issues?: readonly EventIssue[] },
  ) {
    super(message, options);
    this.code = code;
    if (options?.issues !== undefined) this.issues = options.issues;
  }

  /** @internal */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== HoldfastError) return super[Symbol.hasInstance](value);
    return typeof value === 'object' && value !== null && BRAND in value;
  }

  /** @internal */
  get [BRAND](): true {
    return true;
  }

  /**
   * Whether the same call may succeed later without any change: `true` for `MAILBOX_FULL`, `false` for
   * `CONFIG_INVALID`. The code alone decides; `docs/errors.md` has the table. It does not say whether the call took
   * effect: an ask that timed out may still be handled, so repeat only what is safe to do twice. Wait between attempts,
   * and limit their number: the cause may persist.
   */
  get retryable(): boolean {
    return isRetryable(this.code);
  }
}

/** One problem of a config. */
export interface ConfigProblem {
  /** The kind of problem, such as `unknown-key` or `max-threads-conflict`; stable. */
  readonly code: string;
  /** The problem, with the received value, and what to write instead. */
  readonly message: string;
  /** The place in the config, as keys from the root. */
  readonly path: readonly (string | number)[];
  /** The file the config came from; absent for a config given as an object. */
  readonly file?: string;
  /** 1-based; only for a file. */
  readonly line?: number;
  /** 1-based; only for a file. */
  readonly column?: number;
}

/** The error of a config, with every problem at once: `CONFIG_INVALID` or `AGENT_MODULE_NOT_FOUND`. */
export class ConfigError extends HoldfastError {
  readonly problems: readonly ConfigProblem[];

  constructor(
    code: 'CONFIG_INVALID' | 'AGENT_MODULE_NOT_FOUND',
    message: string,
    problems: readonly ConfigProblem[],
  ) {
    super(code, message);
    this.problems = problems;
  }
}
