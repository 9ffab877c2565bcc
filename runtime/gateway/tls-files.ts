import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { ResolvedGateway } from '../config/gateway-schema.ts';
import { gatewayProblem } from '../config/gateway-files.ts';

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * The certificate and the key of a gateway that serves https.
 *
 * @throws {ConfigError} when a file cannot be read, is invalid, or does not match the other: one of them may be
 * written just now
 */
export async function tlsOf(gateway: ResolvedGateway, file: string): Promise<TlsFiles | undefined> {
  const { tls } = gateway;
  if (tls === undefined) return undefined;
  const read = async (name: 'cert' | 'key'): Promise<Buffer> => {
    try {
      return await readFile(resolve(dirname(file), tls[name]));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      throw await gatewayProblem(file, ['tls', name], `${tls[name]} cannot be read (${code})`);
    }
  };
  const found = { cert: await read('cert'), key: await read('key') };
  const why = whyNoPair(found);
  if (why === undefined) return found;
  throw await gatewayProblem(file, ['tls'], `${tls.cert} and ${tls.key} ${why}`);
}

/** The reason why two files are no certificate with its key. Says nothing of a key. */
function whyNoPair(files: TlsFiles): string | undefined {
  try {
    createSecureContext(files);
    fingerprintOf(files);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'no PEM';
    return `are not a certificate and its key (${code}); write both as PEM, the key without a passphrase`;
  }
}

/** The SHA-256 fingerprint of the certificate itself, the first of the chain, as Node writes it. */
export function fingerprintOf({ cert }: TlsFiles): string {
  return new X509Certificate(cert).fingerprint256;
}

/** Whether the bytes are the same; without https there are none. */
export function sameFiles(one: TlsFiles | undefined, other: TlsFiles | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.cert.equals(other.cert) && one.key.equals(other.key);
}
