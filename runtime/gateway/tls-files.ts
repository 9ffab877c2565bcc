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

/** The files of the certificate and the key, absolute; none without https. */
export function tlsPaths({ tls }: Pick<ResolvedGateway, 'tls'>, file: string): string[] {
  return tls === undefined ? [] : [tls.cert, tls.key].map((name) => resolve(dirname(file), name));
}

/**
 * The certificate and the key of a gateway that serves https.
 *
 * @throws {ConfigError} when one cannot be read, is none, or is not that of the other: one of them may be written just now
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

/** What makes of two files no certificate with its key. Nothing of a key is said. */
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

/** Of the certificate itself, the first of the chain: SHA-256 as Node writes it. */
export function fingerprintOf({ cert }: TlsFiles): string {
  return new X509Certificate(cert).fingerprint256;
}

/** Whether they are the same bytes; neither is there without https. */
export function sameFiles(one: TlsFiles | undefined, other: TlsFiles | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.cert.equals(other.cert) && one.key.equals(other.key);
}
