import {
  providerFailures,
  type DescribeResult,
  type FetchResult,
  type ProviderError,
  type ProviderFailure,
} from '../../../providers/provider.ts';

export function isFailure(value: unknown): value is ProviderFailure {
  return typeof value === 'string' && Object.hasOwn(providerFailures, value);
}

/** A provider's answer does not have the required form. The error does not quote the answer, which nobody must see. */
export class AnswerInvalid extends Error {}

/** The answer of `fetch`, checked. @throws an error that counts as `invalid` */
export function fetched(answer: FetchResult): FetchResult {
  const { versionId, stages, bytes, leaseMs } = answer;
  const isLease = leaseMs === undefined || (typeof leaseMs === 'number' && !Number.isNaN(leaseMs));
  if (typeof versionId === 'string' && Array.isArray(stages) && bytes instanceof Uint8Array && isLease)
    return { versionId, stages, bytes, ...(leaseMs !== undefined && { leaseMs }) };
  throw new AnswerInvalid();
}

/** The answer of `describe`, checked. @throws an error that counts as `invalid` */
export function described(answer: DescribeResult): DescribeResult {
  if (typeof answer.current === 'string') return answer;
  throw new AnswerInvalid();
}

/** The answer of `fetchMany`, checked part by part. @throws an error that counts as `invalid` */
export function fetchedMany(
  answer: ReadonlyMap<string, FetchResult | ProviderError>,
): Map<string, FetchedPart> {
  if (!(answer instanceof Map)) throw new AnswerInvalid();
  return new Map(Array.from(answer, ([id, part]) => [id, fetchedPart(part)]));
}

/** The result of a batch for one of its refs. */
export type FetchedPart = FetchResult | ProviderError | { readonly failure: ProviderFailure };

function fetchedPart(part: FetchResult | ProviderError): FetchedPart {
  try {
    if ('failure' in part) return isFailure(part.failure) ? part : { failure: 'transient' };
    return fetched(part);
  } catch {
    return { failure: 'invalid' };
  }
}
