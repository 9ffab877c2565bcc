import { ProviderError } from './provider.ts';

/** For files of the home folder, and the two requests of 1 s with which the SDK asks the instance it may run on. */
const LOOK_MS = 5_000;

/** The region that the ARN of a secret names; undefined for a plain name. */
export function regionOfArn(id: string): string | undefined {
  return /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):/.exec(id)?.[1];
}

/** What is wrong with a secret for a provider of that region; undefined when nothing is. */
export function otherRegionProblem(id: string, region: string): string | undefined {
  const own = regionOfArn(id);
  // The region for FIPS endpoints by its old name.
  if (own === undefined || own === region.replace(/^fips-|-fips$/, '')) return undefined;
  return `this secret is in the region ${own}, and the provider reads in ${region}; declare a provider with the region ${own} for it, or correct one of the two`;
}

/**
 * The region that is read in: as written, else what the SDK finds (`AWS_REGION`, the profile, the instance), else the one in
 * which all these secrets are, where each is an ARN.
 *
 * @throws {ProviderError} `invalid` when there is none, or it is no region
 */
export async function findRegion(written: string | undefined, ids: readonly string[]): Promise<string> {
  // What most have costs neither the SDK nor a look at files.
  const found = written ?? (process.env['AWS_REGION'] || (await foundBySdk()) || regionOfAll(ids));
  if (found === undefined) throw new ProviderError('invalid', noRegion());
  if (isRegion(found)) return found;
  throw new ProviderError(
    'invalid',
    `The AWS region "${found}" is not valid; write one such as eu-west-1 in ${written === undefined ? 'AWS_REGION or the profile' : '"region"'}.`,
  );
}

/** A label of a host name, into which it goes. */
export function isRegion(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(text);
}

async function foundBySdk(): Promise<string | undefined> {
  const { SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({ credentials: { accessKeyId: 'none', secretAccessKey: 'none' } });
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(late.resolve, LOOK_MS, undefined);
  try {
    return await Promise.race([client.config.region(), late.promise]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    client.destroy();
  }
}

function regionOfAll(ids: readonly string[]): string | undefined {
  const regions = new Set(ids.map(regionOfArn));
  return regions.size === 1 ? [...regions][0] : undefined;
}

function noRegion(): string {
  const other = process.env['AWS_DEFAULT_REGION']
    ? ' AWS_DEFAULT_REGION is set, which the AWS SDK for JavaScript does not read.'
    : '';
  return `No AWS region is known. Write "region" where the provider is declared, or set AWS_REGION, or "region" in the profile.${other}`;
}
