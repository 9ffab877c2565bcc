/**
 * The interface of a secret provider. Providers run in the host only, and only the secrets part calls them: caching,
 * single-flight, deadlines, field extraction and grants are not a provider's concern.
 */

/** A reference to a secret, as a grant names it. */
export interface SecretRef {
  /** The alias under which the config declares the provider; `'default'` is `externalSecrets`. */
  readonly provider: string;
  /** The provider's own name for the secret: a Secrets Manager name or ARN, an environment variable. */
  readonly id: string;
  /** A field of a JSON value. The runtime extracts it; a provider ignores it. */
  readonly jsonKey?: string;
  /** The staging label that the runtime follows. Default: `AWSCURRENT`; providers without stages ignore it. */
  readonly stage?: string;
  /** The identity to read with instead of the host's own: for AWS the ARN of an IAM role. Others ignore it. */
  readonly role?: string;
}

/** Selects a version of a secret: by id, else by stage, else the current one. */
export interface SecretSelector {
  readonly versionId?: string;
  readonly stage?: string;
}

/** One version of a secret, as fetched. */
export interface FetchResult {
  /** The id of this value: the same `versionId` never comes with other bytes. It is not derived from the value. */
  readonly versionId: string;
  /** The staging labels this version carries; empty where the provider has none. */
  readonly stages: readonly string[];
  /** The value. It belongs to the caller, who overwrites it with zeros. Text is UTF-8. */
  readonly bytes: Uint8Array;
  /** The time for which the value is valid, in milliseconds, if the provider hands out leases. */
  readonly leaseMs?: number;
}

/** The description of a secret, known without reading its value. */
export interface DescribeResult {
  /** The `versionId` that the ref's stage points at; without stages, the newest. */
  readonly current: string;
  readonly previous?: string;
  /** The time of the next planned rotation, in milliseconds since the epoch. */
  readonly nextRotation?: number;
}

/** A hint that a secret may have changed. Hints may repeat, come late, come out of order or not come at all. */
export interface RotationHint {
  /** The secret, as a ref may name it. */
  readonly id: string;
  /** Other ids of the same secret: the hint is for every ref whose id is `id` or one of these. */
  readonly aliases?: readonly string[];
  readonly versionId?: string;
  readonly stage?: string;
  /** The origin of the hint, for the log. */
  readonly source: string;
}

/**
 * The class of a failure; the runtime decides by it alone what happens next.
 * - `transient`: network, time out, server error; trying again may help
 * - `throttled`: too many calls
 * - `expired-credentials`: the host's own credentials are missing, ran out, or are not known, and could not be renewed
 * - `denied`: the host may not read this secret
 * - `not-found`: no such secret or version
 * - `deleted`: the secret is marked for deletion
 * - `undecryptable`: the value's key is missing, disabled or not permitted
 * - `invalid`: the request itself is wrong; trying again will not help
 */
export type ProviderFailure =
  | 'transient'
  | 'throttled'
  | 'expired-credentials'
  | 'denied'
  | 'not-found'
  | 'deleted'
  | 'undecryptable'
  | 'invalid';

/** Every one of them, for whoever has to know them at run time. */
export const providerFailures: Readonly<Record<ProviderFailure, true>> = {
  transient: true,
  throttled: true,
  'expired-credentials': true,
  denied: true,
  'not-found': true,
  deleted: true,
  undecryptable: true,
  invalid: true,
};

/** The capabilities of a provider beyond fetching. */
export interface ProviderCapabilities {
  /** Whether `describe` distinguishes versions without reading the value, so that a poll need not fetch. */
  readonly versions: boolean;
  /** The number of refs that one `fetchMany` accepts; absent when there is no `fetchMany`. */
  readonly batch?: number;
  /** Whether `watch` exists and delivers hints. */
  readonly push?: boolean;
  /** Whether values come with `leaseMs`. */
  readonly leases?: boolean;
}

/** The interface of every provider, built in or passed in `RuntimeOptions.providers`. */
export interface SecretProvider {
  /** The name that a config's `provider` refers to. */
  readonly name: string;
  readonly capabilities: ProviderCapabilities;
  /**
   * Called at most once, when the runtime starts and before any other call, with the refs of this provider that the
   * config's grants name. Use it for work that must not wait for the first use, such as removing a variable from the
   * environment. Must not call a service, wait or throw; a ref that the provider cannot serve fails when it is fetched.
   */
  prepare?(refs: readonly SecretRef[]): void;
  /** Resolves with the version that is current. Rejects when the secret cannot be described. */
  describe(ref: SecretRef, signal: AbortSignal): Promise<DescribeResult>;
  /** Reads one version. Must settle soon after `signal` aborts; the runtime stops waiting then in any case. */
  fetch(ref: SecretRef, selector: SecretSelector, signal: AbortSignal): Promise<FetchResult>;
  /**
   * Reads the current versions of several secrets, keyed by `ref.id`. A failure for one ref is the error of its entry,
   * not a rejection. Refs of one call that share an `id` must agree in stage and role: the caller splits those that
   * differ. Rejects only when `signal` aborts.
   */
  fetchMany?(
    refs: readonly SecretRef[],
    signal: AbortSignal,
  ): Promise<Map<string, FetchResult | ProviderError>>;
  /**
   * Writes a new version, which becomes the current one. Resolves with its `versionId` if another process would give it
   * the same. Never creates a secret. Called by `holdfast secrets rotate`; the runtime itself writes nothing.
   */
  put?(ref: SecretRef, value: Uint8Array, signal: AbortSignal): Promise<{ readonly versionId?: string }>;
  /**
   * Delivers hints until `signal` aborts, then resolves soon. Keeps trying through outages; rejects only when it can
   * never work, with a message that says what to do, and polling continues. Reports each problem to `report`, once
   * until it is resolved.
   */
  watch?(
    emit: (hint: RotationHint) => void,
    signal: AbortSignal,
    report?: (trouble: ProviderError) => void,
  ): Promise<void>;
  /** Returns the class of an error that one of the calls rejected with. Must not throw; `transient` when in doubt. */
  classify(error: unknown): ProviderFailure;
  /** Releases sockets and files. Called once when the runtime stops, if the provider was used. */
  close?(): Promise<void> | void;
}

/** An error that already knows its class. Its message must never contain a value. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly failure: ProviderFailure;

  constructor(failure: ProviderFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/**
 * Returns the class of an error that knows it, and `transient` for any other. Never throws, and so can serve as
 * `classify`.
 */
export function failureOf(error: unknown): ProviderFailure {
  try {
    return error instanceof ProviderError ? error.failure : 'transient';
  } catch {
    return 'transient';
  }
}

/** The error of a provider that was given invalid options. `problems` has one sentence for each. */
export class ProviderOptionsError extends Error {
  override readonly name = 'ProviderOptionsError';
  readonly problems: readonly string[];

  constructor(provider: string, problems: readonly string[]) {
    super(`The options of the secrets provider "${provider}" are not valid:\n- ${problems.join('\n- ')}`);
    this.problems = problems;
  }
}
