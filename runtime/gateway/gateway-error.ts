interface GatewayErrorOptions extends ErrorOptions {
  readonly isAnswer?: boolean;
  readonly retryable?: boolean;
}

/** What a command that has to do with a gateway ends with. The codes are its own, and those of the gateway's answers. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: string;
  /** The gateway said so, with words of whoever it has them from. */
  readonly isAnswer: boolean;
  /** The gateway said that the same may succeed later without any change. */
  readonly retryable: boolean;

  constructor(code: string, message: string, options: GatewayErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.isAnswer = options.isAnswer ?? false;
    this.retryable = options.retryable ?? false;
  }
}
