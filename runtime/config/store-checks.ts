import { type Finding, property } from './finding.ts';
import { refFindings } from './grant-checks.ts';

/** What the keys of the store must agree on with the providers that are declared. */
export function storeFindings(root: unknown, customProviders: readonly string[]): Finding[] {
  const path = ['store', 'encryption'];
  const encryption = property(property(root, 'store'), 'encryption');
  const previous = property(encryption, 'previous');
  return [
    ...refFindings([...path, 'key'], property(encryption, 'key'), root, customProviders),
    ...(Array.isArray(previous) ? previous : []).flatMap((ref: unknown, index) =>
      refFindings([...path, 'previous', index], ref, root, customProviders),
    ),
  ];
}
