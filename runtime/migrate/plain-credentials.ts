import { valuesOfJson } from '../secrets-audit/named-values.ts';
import type { NamedJsonValue } from '../secrets-audit/named-value.ts';
import { isNamedCredential } from './named-credentials.ts';
import { isAll } from './spans.ts';
import { TokenFinder } from './tokens.ts';

/**
 * The credentials that stand in a JSON5 text as whole values, in its order: under names of their own, and as tokens of a well-known
 * service. Undefined when the text cannot be read whole: it is no JSON5, or has a key twice.
 */
export async function credentialsIn(
  text: string,
  finder: TokenFinder = new TokenFinder(),
): Promise<NamedJsonValue[] | undefined> {
  const values = valuesOfJson(text);
  if (values === undefined) return undefined;
  const found = await finder.passagesIn(text);
  const tokens = new Set<number>();
  for (const [{ start, kind, content }, spans] of found.tokens) {
    if (kind === 'text' && isAll(spans, content)) tokens.add(start);
  }
  return values
    .filter((one) => isNamedCredential(one) || tokens.has(one.span.start))
    .toSorted((a, b) => a.span.start - b.span.start);
}
