/**
 * What a place that keeps secrets must offer. Providers run in the host only and are called by the secrets
 * part alone: caching, single-flight, deadlines, field extraction and grants are not a provider's business.
 */

/** Which secret: how a grant names it. */
export interface SecretRef {
  /** The alias under which the config declares the provider; `'default'` is `externalSecrets`. */
  readonly provider: string;
  /** The provider's own name for the secret: a Secrets Manager name or ARN, an environment variable. */
  readonly id: string;
  /** A field of a JSON value. Taken out by the runtime; a provider ignores it. */
  readonly jsonKey?: string;
  /** The staging label that is followed. Default `AWSCURRENT`; providers without stages ignore it. */
  readonly stage?: string;
  /** The identity to read with instead of the host's own: for AWS the ARN of an IAM role. Others ignore it. */
  readonly role?: string;
}

/** Which version of a secret: by id, else by stage, else the current one. */
export interface SecretSelector {
  readonly versionId?: string;
  readonly stage?: string;
}

/** One version of a secret, as fetched. */
export interface FetchResult {
  /** Names this value for good: the same `versionId` never comes with other bytes. Not derived from the value. */
  readonly versionId: string;
  /** The staging labels this version carries; empty where the provider has none. */
  readonly stages: readonly string[];
  /** The value, owned by the caller, who overwrites it with zeros. Text is UTF-8. */
  readonly bytes: Uint8Array;
  /** How long the value is valid, in milliseconds, where the provider hands out leases. */
  readonly leaseMs?: number;
}

/** What is known about a secret without reading its value. */
export interface DescribeResult {
  /** The `versionId` that the ref's stage points at; without stages, the newest. */
  readonly current: string;
  readonly previous?: string;
  /** When the next rotation is planned, in milliseconds since the epoch. */
  readonly nextRotation?: number;
}

/** A sign that a secret may have changed. Hints may repeat, come late, out of order or not at all. */
export interface RotationHint {
  /** The secret, as a ref may name it. */
  readonly id: string;
  /** What else a ref may call the same secret: a hint is for every ref whose id is `id` or one of these. */
  readonly aliases?: readonly string[];
  readonly versionId?: string;
  readonly stage?: string;
  /** Where the hint came from, for the log. */
  readonly source: string;
}

/**
 * Why a call failed; what happens next depends on nothing else.
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

/** What a provider may do beyond fetching. */
export interface ProviderCapabilities {
  /** `describe` tells versions apart without reading the value, so that a poll need not fetch. */
  readonly versions: boolean;
  /** How many refs one `fetchMany` takes; absent when there is no `fetchMany`. */
  readonly batch?: number;
  /** `watch` exists and delivers hints. */
  readonly push?: boolean;
  /** Values come with `leaseMs`. */
  readonly leases?: boolean;
}

/** The interface of every provider, built in or passed in `RuntimeOptions.providers`. */
export interface SecretProvider {
  /** The name that a config's `provider` refers to. */
  readonly name: string;
  readonly capabilities: ProviderCapabilities;
  /**
   * Called at most once, when the runtime starts and before any other call, with the refs of this provider that the
   * config's grants name. For what must not wait for the first use, such as taking a variable out of the environment.
   * Must not call any service, must not wait and must not throw; a ref it cannot serve fails when it is fetched.
   */
  prepare?(refs: readonly SecretRef[]): void;
  /** Which version is current. Rejects when the secret cannot be described. */
  describe(ref: SecretRef, signal: AbortSignal): Promise<DescribeResult>;
  /** Reads one version. Must settle soon after `signal` aborts; the runtime stops waiting then anyway. */
  fetch(ref: SecretRef, selector: SecretSelector, signal: AbortSignal): Promise<FetchResult>;
  /**
   * Reads the current versions of many, keyed by `ref.id`; what fails for one ref is that entry's error, not a
   * rejection. Refs of one call that share an `id` must agree in stage and role: the caller splits those that differ.
   * Rejects only when `signal` aborts.
   */
  fetchMany?(
    refs: readonly SecretRef[],
    signal: AbortSignal,
  ): Promise<Map<string, FetchResult | ProviderError>>;
  /**
   * Writes a new version, which becomes the current one; resolves with its `versionId` when another process would give it the same.
   * Never makes a secret that is not there.
   * For `holdfast secrets rotate`; the runtime itself writes nothing.
   */
  put?(ref: SecretRef, value: Uint8Array, signal: AbortSignal): Promise<{ readonly versionId?: string }>;
  /**
   * Delivers hints until `signal` aborts, then resolves soon. Keeps trying through outages; rejects only when it can
   * never work, with a message that says what to do, and polling goes on. Troubles on the way are told to `report`,
   * each once until it has gone well again.
   */
  watch?(
    emit: (hint: RotationHint) => void,
    signal: AbortSignal,
    report?: (trouble: ProviderError) => void,
  ): Promise<void>;
  /** Sorts an error that one of the calls rejected with. Must not throw; `transient` when in doubt. */
  classify(error: unknown): ProviderFailure;
  /** Lets go of sockets and files. Called once when the runtime stops, if the provider was used. */
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

/** The class of an error that knows its class; `transient` for any other. Never throws: good as a `classify`. */
export function failureOf(error: unknown): ProviderFailure {
  try {
    return error instanceof ProviderError ? error.failure : 'transient';
  } catch {
    return 'transient';
  }
}

/** A provider was given options it does not take. `problems` has one sentence for each. */
export class ProviderOptionsError extends Error {
  override readonly name = 'ProviderOptionsError';
  readonly problems: readonly string[];

  constructor(provider: string, problems: readonly string[]) {
    super(`The options of the secrets provider "${provider}" are not valid:\n- ${problems.join('\n- ')}`);
    this.problems = problems;
  }
}
