/** A request that the emulator got, without any value. */
export interface RecordedRequest {
  readonly operation: string;
  /** The secret as the request named it. */
  readonly secret?: string;
  /** The secrets of a batch. */
  readonly secrets?: readonly string[];
  readonly versionId?: string;
  readonly stage?: string;
  /** The ARN of the caller, once it was known who that is. */
  readonly caller?: string;
  /** `ok`, or the name of the error. A request that was left hanging or cut off is `ok` too. */
  readonly outcome: string;
}

/** A request in hand. */
export interface RequestRecord {
  readonly secret: string | undefined;
  describe(body: Readonly<Record<string, unknown>> | undefined): void;
  by(caller: string): void;
  failed(code: string): void;
  end(): void;
}

/** Counts requests and keeps the last of them. */
export interface RequestLog {
  readonly calls: Readonly<Record<string, number>>;
  readonly requests: readonly RecordedRequest[];
  begin(operation: string): RequestRecord;
  clear(): void;
}

const kept = 10_000;

export function createRequestLog(): RequestLog {
  const calls: Record<string, number> = {};
  const requests: RecordedRequest[] = [];
  return {
    calls,
    requests,
    begin(operation) {
      calls[operation] = (calls[operation] ?? 0) + 1;
      const found: { -readonly [Key in keyof RecordedRequest]: RecordedRequest[Key] } = {
        operation,
        outcome: 'ok',
      };
      return {
        get secret() {
          return found.secret;
        },
        describe(body) {
          const { SecretId: id, SecretIdList: ids, VersionId: version, VersionStage: stage } = body ?? {};
          if (typeof id === 'string') found.secret = id;
          if (Array.isArray(ids)) found.secrets = ids.map(String);
          if (typeof version === 'string') found.versionId = version;
          if (typeof stage === 'string') found.stage = stage;
        },
        by(caller) {
          found.caller = caller;
        },
        failed(code) {
          found.outcome = code;
        },
        end() {
          requests.push(found);
          if (requests.length > kept) requests.shift();
        },
      };
    },
    clear() {
      requests.length = 0;
      for (const operation of Object.keys(calls)) delete calls[operation];
    },
  };
}
