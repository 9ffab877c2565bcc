import type * as Sdk from '@aws-sdk/client-secrets-manager';
import type * as Providers from '@aws-sdk/credential-providers';
import type { ClientConfig } from './aws-client.ts';
import { ProviderError, type ProviderFailure } from './provider.ts';
import { systemCode } from './trusted-file.ts';

/** Clients of roles that are kept at one time. The agents of AWS keep as many. */
const mostRoles = 20;

/** What STS writes into CloudTrail as the name of a session. */
const sessionName = 'holdfast';

/** A client and the module it is from. */
export interface Connection {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.SecretsManagerClient;
}

export interface ConnectionSettings {
  /** For every client. */
  readonly client: ClientConfig;
  /** The endpoint of STS, which gives the credentials of roles. Default: the region's own. */
  readonly stsEndpoint: string | undefined;
  readonly classify: (error: unknown) => ProviderFailure;
}

/** The clients of a provider: one with the credentials of the host, one for each role. */
export interface Connections {
  /**
   * Makes a call as the host or as a role. When credentials have expired or are not known, they are looked for again once
   * and the call repeated once, which the SDK does not do by itself. Rejects as soon as the signal aborts.
   */
  call<T>(
    role: string | undefined,
    signal: AbortSignal,
    send: (connection: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  /** Lets go of all sockets. Calls after it begin anew. */
  close(): Promise<void>;
}

interface Open {
  readonly opening: Promise<Connection>;
  /** Calls under way. */
  calls: number;
  /** Nobody is to use it any more; it is closed with its last call. */
  isRetired: boolean;
}

/** Opens nothing, and does not load the SDK, before the first call. */
export function createConnections({ client, stsEndpoint, classify }: ConnectionSettings): Connections {
  let host: Open | undefined;
  /** By role, the one that was used last at the end. */
  const roles = new Map<string, Open>();

  /** What cannot be opened is forgotten, so that the next call tries again. */
  const open = (opening: Promise<Connection>, forget: (failed: Open) => void): Open => {
    const opened = { opening, calls: 0, isRetired: false };
    opening.catch(() => forget(opened));
    return opened;
  };

  const hostConnection = (): Open => {
    host ??= open(connect(client), () => {
      host = undefined;
    });
    return host;
  };

  const roleConnection = (role: string): Open => {
    const opened = roles.get(role) ?? open(connectAs(role), (failed) => retire(role, failed));
    roles.delete(role);
    roles.set(role, opened);
    const [oldest] = roles;
    if (roles.size > mostRoles && oldest !== undefined) retire(...oldest);
    return opened;
  };

  const connectionOf = (role: string | undefined): Open =>
    role === undefined ? hostConnection() : roleConnection(role);

  async function connectAs(role: string): Promise<Connection> {
    const { fromTemporaryCredentials } = await credentialProviders();
    const credentials = fromTemporaryCredentials({
      params: { RoleArn: role, RoleSessionName: sessionName },
      masterCredentials: () => use(hostConnection(), (own) => own.client.config.credentials()),
      clientConfig: {
        ...(client.maxAttempts !== undefined && { maxAttempts: client.maxAttempts }),
        ...(client.region !== undefined && { region: client.region }),
        ...(stsEndpoint !== undefined && { endpoint: stsEndpoint }),
      },
    });
    return connect({ ...client, credentials });
  }

  function retire(role: string, opened: Open): void {
    if (roles.get(role) === opened) roles.delete(role);
    opened.isRetired = true;
    closeIfIdle(opened);
  }

  async function use<T>(opened: Open, work: (connection: Connection) => Promise<T>): Promise<T> {
    opened.calls += 1;
    try {
      return await work(await opened.opening);
    } finally {
      opened.calls -= 1;
      closeIfIdle(opened);
    }
  }

  async function renew(role: string | undefined, used: Open): Promise<void> {
    await use(hostConnection(), ({ client }) => client.config.credentials({ forceRefresh: true }));
    // A role's client remembers what STS and the host gave it; a new one asks both.
    if (role !== undefined) retire(role, used);
  }

  return {
    call<T>(
      role: string | undefined,
      signal: AbortSignal,
      send: (connection: Connection, signal: AbortSignal) => Promise<T>,
    ): Promise<T> {
      const attempt = async (): Promise<T> => {
        const used = connectionOf(role);
        try {
          return await use(used, (connection) => send(connection, signal));
        } catch (error) {
          if (signal.aborted || classify(error) !== 'expired-credentials') throw error;
        }
        await renew(role, used);
        return use(connectionOf(role), (connection) => send(connection, signal));
      };
      // The SDK heeds a signal on the wire, but not while it looks for credentials.
      return unlessAborted(signal, attempt);
    },

    async close() {
      const all = [...(host === undefined ? [] : [host]), ...roles.values()];
      host = undefined;
      roles.clear();
      for (const opened of all) {
        const connection = await opened.opening.catch(() => undefined);
        connection?.client.destroy();
      }
    },
  };
}

async function connect(config: ClientConfig): Promise<Connection> {
  const sdk = await import('@aws-sdk/client-secrets-manager');
  return { sdk, client: new sdk.SecretsManagerClient(config) };
}

function closeIfIdle(opened: Open): void {
  if (!opened.isRetired || opened.calls > 0) return;
  void opened.opening.then(
    ({ client }) => client.destroy(),
    () => undefined,
  );
}

async function credentialProviders(): Promise<typeof Providers> {
  try {
    return await import('@aws-sdk/credential-providers');
  } catch (error) {
    throw new ProviderError(
      'invalid',
      `To read a secret as a role, the package @aws-sdk/credential-providers is needed (${systemCode(error)}). ` +
        'Run: npm install @aws-sdk/credential-providers',
    );
  }
}

/** Settles as what is started, or rejects as soon as the signal aborts; the SDK heeds none while it looks for credentials. */
export async function unlessAborted<T>(signal: AbortSignal, start: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([start(), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
