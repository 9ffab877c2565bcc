import { failureOf, ProviderError, type ProviderFailure, type SecretProvider } from 'holdfast';

const failures: Record<number, ProviderFailure> = { 403: 'denied', 404: 'not-found', 429: 'throttled' };
type Found = { data: { value?: unknown }; metadata: { version: number } };

/** Secrets of HashiCorp Vault (KV version 2): a ref's `id` is the path, the secret the field `value` there. */
export function createVaultProvider(address: string, token: string, mount = 'secret'): SecretProvider {
  async function get<T>(kind: 'data' | 'metadata', path: string, signal: AbortSignal): Promise<T> {
    const url = `${address}/v1/${mount}/${kind}/${path}`;
    const response = await fetch(url, { headers: { 'x-vault-token': token }, redirect: 'error', signal });
    // Nothing of an answer gets into the error: what cannot be read may still be a secret.
    const body: unknown = response.ok ? await response.json().catch(() => undefined) : undefined;
    if (body !== undefined) return (body as { data: T }).data;
    const failure = failures[response.status] ?? 'transient';
    throw new ProviderError(failure, `Vault has no answer for ${path} (HTTP ${response.status}).`);
  }

  return {
    name: 'vault',
    capabilities: { versions: true },
    async describe({ id }, signal) {
      const { current_version: version } = await get<{ current_version: number }>('metadata', id, signal);
      return { current: String(version) };
    },
    async fetch({ id }, { versionId }, signal) {
      if (/\D/.test(versionId ?? '')) throw new ProviderError('not-found', `${id} has no such version.`);
      const { data, metadata } = await get<Found>('data', `${id}?version=${versionId ?? 0}`, signal);
      if (typeof data.value !== 'string') throw new ProviderError('invalid', `${id} has no field "value".`);
      return { versionId: String(metadata.version), stages: [], bytes: Buffer.from(data.value) };
    },
    classify: failureOf,
  };
}
