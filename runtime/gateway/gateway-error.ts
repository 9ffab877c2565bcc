interface GatewayErrorOptions extends ErrorOptions {
  readonly isAnswer?: boolean;
  readonly retryable?: boolean;
}

/** The error of a command about a gateway. Its codes are its own, and those of the gateway's answers. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: string;
  /** Whether the gateway gave this error as its answer, in words of its own or of others. */
  readonly isAnswer: boolean;
  /** Whether the gateway said that the same request may succeed later without any change. */
  readonly retryable: boolean;

  constructor(code: string, message: string, options: GatewayErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.isAnswer = options.isAnswer ?? false;
    this.retryable = options.retryable ?? false;
  }
}
