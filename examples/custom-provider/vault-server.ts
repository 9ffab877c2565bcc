import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Stands in for HashiCorp Vault, so that the example needs none: as much of KV version 2 as the provider uses. */
export interface VaultServer {
  readonly address: string;
  readonly token: string;
  /** Writes the field `value` of a path, as `vault kv put secret/<path> value=<value>`. Returns the version. */
  put(path: string, value: string): number;
  stop(): Promise<void>;
}

export async function startVaultServer(): Promise<VaultServer> {
  const token = `hvs.${randomBytes(12).toString('base64url')}`;
  const secrets = new Map<string, string[]>();

  function answer({ url = '', headers }: IncomingMessage): { status: number; data?: unknown } {
    if (headers['x-vault-token'] !== token) return { status: 403 };
    const { pathname, searchParams } = new URL(url, 'http://vault');
    const [, kind, path] = /^\/v1\/secret\/(data|metadata)\/(.+)$/.exec(pathname) ?? [];
    const values = secrets.get(decodeURIComponent(path ?? ''));
    if (values === undefined) return { status: 404 };
    if (kind === 'metadata') return { status: 200, data: { current_version: values.length } };
    const version = Number(searchParams.get('version') ?? 0) || values.length;
    const value = values[version - 1];
    return value === undefined
      ? { status: 404 }
      : { status: 200, data: { data: { value }, metadata: { version } } };
  }

  const server = createServer((request, response) => {
    const { status, data } = answer(request);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(data === undefined ? { errors: [] } : { data }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    put(path, value) {
      const values = [...(secrets.get(path) ?? []), value];
      secrets.set(path, values);
      return values.length;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
