import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { ResolvedGateway } from '../config/gateway-schema.ts';

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** The certificate and the key of a gateway that serves https. */
export async function tlsOf({ tls }: ResolvedGateway, file: string): Promise<TlsFiles | undefined> {
  if (tls === undefined) return undefined;
  const folder = dirname(file);
  const [cert, key] = await Promise.all([tls.cert, tls.key].map((name) => readFile(resolve(folder, name))));
  if (cert === undefined || key === undefined) throw new TypeError('two files were read');
  return { cert, key };
}

/** Of the certificate itself, the first of the chain: SHA-256 as Node writes it. */
export function fingerprintOf({ cert }: TlsFiles): string {
  return new X509Certificate(cert).fingerprint256;
}
