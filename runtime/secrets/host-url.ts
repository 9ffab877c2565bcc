import type { SecretRef } from './host-keys.ts';
import { hostGrant } from './host-keys.ts';
import { grantedValue, type LiveGrant } from './grants.ts';
import type { Scrubber } from './scrub/scrubber.ts';
import type { SecretsCache } from './values/cache.ts';

/** Where it stands in a config, which errors name; and the name under which it is known to the scrubber. */
const URL_LABEL = 'store.url';

/** The secret as what is granted to nobody, so that it is fetched, and tried at the start, like all else. */
export function urlGrant(ref: SecretRef): LiveGrant['grant'] {
  return hostGrant(ref, URL_LABEL);
}

/**
 * Fetches the url; from then on it is kept up to date, and searched for in whatever leaves, the password in it also by itself.
 * `isRefused`: it is looked up anew, as far as the limits of that let it.
 *
 * @throws {HoldfastError} `SECRET_NOT_FOUND`, `SECRET_DENIED` or `SECRET_UNAVAILABLE`, or `CONFIG_INVALID` for an
 *   undeclared provider
 */
export async function fetchHostUrl(
  ref: SecretRef,
  isRefused: boolean,
  cache: SecretsCache,
  scrubber: Pick<Scrubber, 'learn' | 'hold'> | undefined,
): Promise<Uint8Array> {
  const grant = urlGrant(ref);
  const live: LiveGrant = { grant, spec: cache.entry(grant) };
  cache.hold(URL_LABEL, [live.spec]);
  // When it cannot be looked up, what is known is tried once more.
  if (isRefused) await cache.refresh(ref.provider, ref.id).catch(() => {});
  return cache.need(live.spec, (answer) => {
    const { versionId, bytes } = grantedValue(live, answer, cache);
    const id = `${live.spec.key} ${versionId}`;
    const known = [id];
    scrubber?.learn(URL_LABEL, id, bytes);
    for (const [at, password] of passwordsIn(bytes).entries()) {
      known.push(`${id} ${at}`);
      scrubber?.learn(URL_LABEL, `${id} ${at}`, password);
      password.fill(0);
    }
    scrubber?.hold(URL_LABEL, known);
    return bytes;
  });
}

/** The password of a url, as it is and as it is written there. */
function passwordsIn(bytes: Uint8Array): Buffer[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString().trim();
  const url = URL.parse(text);
  const written = url?.password ?? '';
  const all = [written, decoded(written), url?.searchParams.get('password') ?? ''];
  return [...new Set(all)].filter((one) => one !== '').map((one) => Buffer.from(one));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
