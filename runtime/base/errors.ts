/**
 * Every code a {@link HoldfastError} can carry. Codes are stable: match on them, never on messages.
 * What each one means and what to do about it stands in `docs/errors.md`.
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
  | 'REPLAY_REFUSED'
  | 'ASK_TIMEOUT'
  | 'ASK_UNANSWERED'
  | 'ASK_TOO_DEEP'
  | 'REPLY_UNCLONABLE'
  | 'NOT_MIRRORED'
  | 'POOL_EXHAUSTED'
  | 'THREAD_START_TIMEOUT'
  | 'THREAD_CRASHED'
  | 'THREAD_OUT_OF_MEMORY'
  | 'THREAD_HUNG'
  | 'RUNTIME_STOPPED'
  | 'SECRET_NOT_GRANTED'
  | 'SECRET_NOT_FOUND'
  | 'SECRET_DENIED'
  | 'SECRET_UNAVAILABLE'
  | 'SECRET_RATE_LIMITED'
  | 'FETCH_FAILED'
  | 'SECRET_IN_SNAPSHOT'
  | 'STORE_FENCED'
  | 'STORE_FAILED'
  | 'ISOLATION_UNAVAILABLE';

/**
 * The one error class of Holdfast. `code` is stable, `message` says what to do next, `cause` is the
 * underlying error where there is one.
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

  constructor(code: HoldfastErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One thing that is wrong with a config. */
export interface ConfigProblem {
  /** Stable within `CONFIG_INVALID`, such as `unknown-key` or `max-threads-conflict`. */
  readonly code: string;
  /** What is wrong, with the received value, and what to write instead. */
  readonly message: string;
  /** Where in the config, as keys from the root. */
  readonly path: readonly (string | number)[];
  /** The file the config came from; absent for a config given as an object. */
  readonly file?: string;
  /** 1-based; only for a file. */
  readonly line?: number;
  /** 1-based; only for a file. */
  readonly column?: number;
}

/** `CONFIG_INVALID` and `AGENT_MODULE_NOT_FOUND`: every problem of the config at once. */
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
