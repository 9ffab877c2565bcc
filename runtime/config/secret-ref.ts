import type { z } from 'zod';
import type { SecretRef } from '../../providers/provider.ts';
import type { refSchema } from './grant-schema.ts';
import { DEFAULT_PROVIDER_ALIAS } from './secrets-schema.ts';

/** The secret that a `ref` means, as it is written: `'name'`, `'name#field'` or an object. */
export function secretRef(ref: z.input<typeof refSchema>): SecretRef {
  if (typeof ref !== 'string') {
    const { provider = DEFAULT_PROVIDER_ALIAS, id, jsonKey, stage, role } = ref;
    return {
      provider,
      id,
      ...(jsonKey && { jsonKey }),
      ...(stage && { stage }),
      ...(role && { role }),
    };
  }
  const mark = ref.indexOf('#');
  const id = mark < 0 ? ref : ref.slice(0, mark);
  const field = mark < 0 ? {} : { jsonKey: ref.slice(mark + 1) };
  return { provider: DEFAULT_PROVIDER_ALIAS, id, ...field };
}
