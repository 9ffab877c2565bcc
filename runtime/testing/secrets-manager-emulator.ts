import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAccess, type EmulatedCredentials, type IamPolicy } from './iam-access.ts';
import { createFaults, type Fault } from './secrets-manager-faults.ts';
import { operations, rotate } from './secrets-manager-operations.ts';
import { createSecretsStore, ServiceError, type StoredValue } from './secrets-manager-store.ts';
import { isQuery, queryError, queryOperation, runQuery, type XmlAnswer } from './sts-operations.ts';

/** The service takes values of 64 KiB; base64 and JSON around them stay far below this. */
const largestBody = 1024 * 1024;
const contentType = 'application/x-amz-json-1.1';

export interface SecretsManagerEmulatorOptions {
  /** Stands in ARNs. Default `ap-east-1`. */
  readonly region?: string;
  /** The port on 127.0.0.1. Default 0: any free one. */
  readonly port?: number;
}

/** A Secrets Manager of one's own on loopback, for tests and examples. */
export interface SecretsManagerEmulator extends AsyncDisposable {
  /** The endpoint for the SDK. */
  readonly url: string;
  readonly region: string;
  /**
   * Made up at the start; they may do everything. Requests with an access key that the emulator did not make are
   * refused. Signatures are not checked.
   */
  readonly credentials: EmulatedCredentials;
  /** Requests by operation, those that failed included. */
  readonly calls: Readonly<Record<string, number>>;
  /** Makes the secret, or gives it a new current version. Returns the version id. */
  put(name: string, value: string | Uint8Array): string;
  /** Runs the four steps of a rotation, to a random value unless one is given. Returns the version id. */
  rotate(name: string, value?: string | Uint8Array): string;
  /** Credentials that may do what the policy allows, and nothing else. @throws {TypeError} for what is not emulated */
  createUser(policy: IamPolicy): EmulatedCredentials;
  /**
   * A role for `sts:AssumeRole`, which {@link url} answers too; made again, its policy changes at once, for sessions that
   * exist as well. Returns its ARN.
   */
  createRole(name: string, policy: IamPolicy): string;
  /** Ends the credentials of all roles: `ExpiredTokenException`. Roles can be assumed again. */
  expireSessions(): void;
  /** Makes the next requests of an operation (`'*'`: of any) fail. */
  fail(operation: string, fault: Fault): void;
  /** Forgets secrets, users, roles, faults and counts. */
  reset(): void;
  /** Cuts every connection. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts an emulator of AWS Secrets Manager that speaks awsJson1.1 over HTTP on 127.0.0.1: CreateSecret,
 * GetSecretValue, PutSecretValue, UpdateSecretVersionStage, DescribeSecret, BatchGetSecretValue (without
 * filters), ListSecrets, DeleteSecret, RestoreSecret and RotateSecret, with the service's rules for versions,
 * staging labels and idempotency tokens, and its errors. Of STS it answers AssumeRole, and
 * every operation is subject to the IAM policy of its caller.
 */
export async function startSecretsManagerEmulator(
  options: SecretsManagerEmulatorOptions = {},
): Promise<SecretsManagerEmulator> {
  const { region = 'ap-east-1', port = 0 } = options;
  const store = createSecretsStore(region);
  const faults = createFaults();
  const calls: Record<string, number> = {};
  const stopping = new AbortController();
  const access = createAccess(Date.now);
  const { credentials } = access;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = isQuery(request.headers['content-type']);
    const body = await readBody(request);
    const operation = query
      ? queryOperation(body)
      : (/^secretsmanager\.(\w+)$/.exec(String(request.headers['x-amz-target']))?.[1] ?? 'Unknown');
    calls[operation] = (calls[operation] ?? 0) + 1;
    const fault = faults.take(operation);
    if (fault !== undefined && 'hang' in fault) return;
    if (fault !== undefined && 'reset' in fault) return void request.socket.resetAndDestroy();
    if (fault !== undefined && 'garbage' in fault) return void response.end('<html>not JSON</html>');
    if (fault !== undefined && 'error' in fault)
      throw new ServiceError(fault.error, 'Injected.', fault.status);
    if (fault !== undefined) await sleep(fault.latencyMs, undefined, { signal: stopping.signal });
    const caller = access.authenticate(request.headers);
    if (query) return sendXml(response, runQuery(access, caller, body));
    const run = operations.get(operation);
    if (run === undefined)
      throw new ServiceError('UnknownOperationException', `${operation} is not emulated.`);
    send(response, 200, run({ store, caller }, parse(body)));
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.destroyed || response.headersSent) return;
      const known =
        error instanceof ServiceError ? error : new ServiceError('InternalServiceError', String(error), 500);
      if (isQuery(request.headers['content-type'])) return sendXml(response, queryError(known));
      send(response, known.status, { __type: known.code, Message: known.message, message: known.message });
    });
  });
  server.requestTimeout = 30_000;
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(port, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The emulator did not get a port.');

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= new Promise((resolve) => {
      stopping.abort();
      server.close(() => resolve());
      // Bounded: hung requests and kept-alive connections are cut, not waited for.
      server.closeAllConnections();
    });
    return stopped;
  };

  return {
    url: `http://127.0.0.1:${address.port}`,
    region,
    credentials,
    calls,
    put(name, value) {
      const secret = store.all().find((each) => each.name === name) ?? store.create(name, undefined);
      return store.addVersion(secret, randomUUID(), storedValue(value), ['AWSCURRENT']).id;
    },
    rotate: (name, value) =>
      rotate(store, store.findLive(name), value === undefined ? undefined : storedValue(value)).id,
    createUser: (policy) => access.createUser(policy),
    createRole: (name, policy) => access.createRole(name, policy),
    expireSessions: () => access.expireSessions(),
    fail: (operation, fault) => faults.plan(operation, fault),
    reset() {
      store.clear();
      access.clear();
      faults.clear();
      for (const operation of Object.keys(calls)) delete calls[operation];
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed at the throw: the refusal must still go out on the same socket.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestBody)
      throw new ServiceError('RequestEntityTooLargeException', 'The request is too large.', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(body: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
  } catch {
    // Falls through to the one answer for all that is not a JSON object.
  }
  throw new ServiceError('SerializationException', 'The request is not a JSON object.');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const { req: request } = response;
  // Of a request that was not read to its end nothing more is read.
  const cut = request.complete ? undefined : { connection: 'close' };
  response.writeHead(status, { 'content-type': contentType, 'x-amzn-requestid': randomUUID(), ...cut });
  response.end(JSON.stringify(body), () => {
    if (cut !== undefined) request.destroy();
  });
}

function sendXml(response: ServerResponse, { status, xml }: XmlAnswer): void {
  response.writeHead(status, { 'content-type': 'text/xml' }).end(xml);
}

function storedValue(value: string | Uint8Array): StoredValue {
  return typeof value === 'string'
    ? { SecretString: value }
    : { SecretBinary: Buffer.from(value).toString('base64') };
}
