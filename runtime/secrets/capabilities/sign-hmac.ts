import { createHmac, createSecretKey } from 'node:crypto';
import { defineCapability } from './capability.ts';
import { lendNow } from './secret.ts';
import { SigningArgs } from './signing-args.ts';

/** The `args` of `capability('sign.hmac')`. */
export interface SignHmacArgs {
  readonly data: string | Uint8Array;
  /** Default: `sha256`. */
  readonly algorithm?: 'sha256' | 'sha384' | 'sha512';
  /** Default: `hex`. */
  readonly encoding?: 'hex' | 'base64' | 'base64url';
}

/** The HMAC of the data as text, with the bytes of the secret as the key. */
export const signHmac = defineCapability('sign.hmac', (secret, given) => {
  const args = new SigningArgs('sign.hmac', given, ['data', 'algorithm', 'encoding']);
  const data = args.get('data');
  const algorithm = args.oneOf('algorithm', ['sha256', 'sha384', 'sha512'], 'sha256');
  const encoding = args.oneOf('encoding', ['hex', 'base64', 'base64url'], 'hex');
  const isData = typeof data === 'string' || data instanceof Uint8Array;
  if (!isData) args.problem('data is neither a text nor bytes');
  args.check();
  return lendNow(secret, (key) => {
    // With an empty key anybody could make that signature.
    if (key.length === 0) throw new TypeError('sign.hmac: the secret is empty');
    // A key of plain bytes would take Node 24 five times as long.
    return createHmac(algorithm, createSecretKey(key))
      .update(data as string | Uint8Array)
      .digest(encoding);
  });
});
