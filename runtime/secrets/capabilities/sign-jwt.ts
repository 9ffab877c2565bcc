import { createPrivateKey, type KeyObject } from 'node:crypto';
import { defineCapability } from './capability.ts';
import { SigningArgs } from './signing-args.ts';

/** The `args` of `capability('sign.jwt')`. */
export interface SignJwtArgs {
  /** The algorithm. With `HS…` the secret is the key itself; otherwise it is a private key in PEM (PKCS #8). */
  readonly alg: (typeof ALGORITHMS)[number];
  /** Further claims; not `iat`, `exp` and `nbf`, which follow from the time. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The lifetime in seconds, 1 to 3600. Default: 300. */
  readonly expiresInSeconds?: number;
  readonly issuer?: string;
  readonly subject?: string;
  readonly audience?: string | readonly string[];
  /** The id of the key, for the verifier. */
  readonly kid?: string;
}

const ALGORITHMS = [
  ...(['HS256', 'HS384', 'HS512'] as const),
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
] as const;
const KEYS = ['alg', 'claims', 'expiresInSeconds', 'issuer', 'subject', 'audience', 'kid'];
/** The fewest bytes of a key: no less than the hash gives (RFC 7518, 3.2). */
const SHORTEST_KEY: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };
/** A token is shown to others; one that lasted longer would be a secret of its own. */
const LONGEST_SECONDS = 3600;
const USUAL_SECONDS = 300;
/** The most characters of claims in JSON: more does not fit a header of a request. */
const LARGEST_CLAIMS = 8192;

/** A signed token (JWS, compact), with `iat` and `exp`. */
export const signJwt = defineCapability('sign.jwt', async (secret, given) => {
  const args = new SigningArgs('sign.jwt', given, KEYS);
  const alg = args.oneOf('alg', ALGORITHMS);
  const claims = claimsOf(args);
  const seconds = args.get('expiresInSeconds') ?? USUAL_SECONDS;
  if (!Number.isInteger(seconds) || (seconds as number) < 1 || (seconds as number) > LONGEST_SECONDS) {
    args.problem(`expiresInSeconds is not a whole number from 1 to ${LONGEST_SECONDS}`);
  }
  const named = { iss: args.text('issuer'), sub: args.text('subject'), aud: audienceOf(args) };
  const kid = args.text('kid');
  for (const [claim, value] of Object.entries(named)) {
    if (value !== undefined && Object.hasOwn(claims, claim))
      args.problem(`the claim ${claim} is given twice`);
  }
  args.check();

  const { SignJWT } = await import('jose');
  const iat = Math.floor(Date.now() / 1000);
  const own = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  const token = new SignJWT({ ...claims, ...own, iat, exp: iat + (seconds as number) });
  token.setProtectedHeader({ alg, typ: 'JWT', ...(kid !== undefined && { kid }) });
  return secret.use(async (bytes) => {
    const key = alg.startsWith('HS') ? sharedKey(bytes, alg) : privateKey(bytes, alg);
    try {
      return await token.sign(key);
    } catch {
      // The error's own message may reveal too much of the key.
      throw unfit(alg);
    }
  });
});

function claimsOf(args: SigningArgs): Readonly<Record<string, unknown>> {
  const claims = args.get('claims') ?? {};
  if (typeof claims !== 'object' || Array.isArray(claims)) {
    args.problem('claims is not an object');
    return {};
  }
  let json: string | undefined;
  try {
    json = JSON.stringify(claims);
  } catch {
    // The claims have a cycle or a bigint.
  }
  if (json === undefined || json.length > LARGEST_CLAIMS) {
    args.problem(`claims does not fit into JSON of at most ${LARGEST_CLAIMS} characters`);
    return {};
  }
  for (const claim of ['iat', 'exp', 'nbf']) {
    if (Object.hasOwn(claims, claim))
      args.problem(`the claim ${claim} follows from the time and expiresInSeconds`);
  }
  return JSON.parse(json) as Record<string, unknown>;
}

function audienceOf(args: SigningArgs): string | readonly string[] | undefined {
  const audience = args.get('audience');
  if (!Array.isArray(audience)) return args.text('audience');
  if (audience.length > 0 && audience.length <= 20 && audience.every((one) => typeof one === 'string')) {
    return audience;
  }
  args.problem('audience is not a list of 1 to 20 texts');
  return undefined;
}

function sharedKey(bytes: Buffer, alg: string): Uint8Array {
  const shortest = SHORTEST_KEY[alg] ?? 0;
  if (bytes.length < shortest) {
    throw new TypeError(
      `sign.jwt: the secret is too short for ${alg}, which takes ${shortest} bytes or more`,
    );
  }
  // With a public key as the HMAC key anybody could sign.
  if (bytes.includes('-----BEGIN ')) throw unfit(alg);
  return bytes;
}

function privateKey(bytes: Buffer, alg: string): KeyObject {
  try {
    return createPrivateKey({ key: bytes, format: 'pem' });
  } catch {
    throw unfit(alg);
  }
}

function unfit(alg: string): TypeError {
  const wanted = alg.startsWith('HS')
    ? 'a shared key, not PEM'
    : 'a private key in PEM (PKCS #8), not encrypted';
  return new TypeError(`sign.jwt: the secret is not a key for ${alg}; that takes ${wanted}`);
}
