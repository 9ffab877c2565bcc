import type { Capability } from './capability.ts';
import { signHmac } from './sign-hmac.ts';
import { signJwt } from './sign-jwt.ts';

/** The capabilities that exist without being passed to createRuntime; a grant lists them like any other. */
export const builtinCapabilities: readonly Capability[] = [signHmac, signJwt];
