import type { ResolvedGrant } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Prefetched, SecretsCache } from './values/cache.ts';
import { liveGrants, grantedValue, type LiveGrant } from './grants.ts';

/** An agent of the config with its grants, or what else needs secrets. */
export interface DeclaredGrants {
  readonly name: string;
  /** What it is, where it is no agent. */
  readonly what?: 'store' | undefined;
  readonly grants: readonly ResolvedGrant[];
}

/**
 * Fetches the secrets that a config grants, before anybody uses them. Resolves when the required ones are here; the
 * others come in the background, and one warning names those that cannot be had.
 *
 * @throws {HoldfastError} `CONFIG_INVALID` when a provider can never read what is granted, such as AWS without a
 * region
 * @throws {HoldfastError} naming every required secret that cannot be had, with the code of the first
 */
export async function fetchDeclared(
  agents: readonly DeclaredGrants[],
  cache: SecretsCache,
  warn: (message: string) => void,
): Promise<void> {
  const declared = agents.flatMap(({ name, what, grants }) =>
    [...liveGrants(grants, cache).values()].map((live) => ({ name: what ?? `agent "${name}"`, live })),
  );
  if (declared.length === 0) return;
  const refs = declared.map(({ live: { grant } }) => grant);
  cache.prepare(refs);
  const problems = (await cache.problems(refs)) ?? [];
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n- ${problem}`).join('');
    throw new HoldfastError('CONFIG_INVALID', `Secrets providers cannot read what the config grants:${list}`);
  }
  const isRequired = ({ live: { grant } }: (typeof declared)[number]): boolean => grant.required === true;
  const first = [...declared.filter(isRequired), ...declared.filter((one) => !isRequired(one))];
  const wanted = first.map(({ live }): Prefetched => ({
    entry: live.spec,
    required: live.grant.required,
    receive: (answer) => void grantedValue(live, answer, cache).bytes.fill(0),
  }));
  const fetches = cache.prefetch(wanted).map(async (fetch, at) => {
    try {
      await fetch;
      return [];
    } catch (error) {
      const { name, live } = first[at] as (typeof first)[number];
      return [{ name, ref: refOf(live), error: error as HoldfastError }];
    }
  });
  const count = declared.filter(isRequired).length;
  const failed = (await Promise.all(fetches.slice(0, count))).flat();
  const [worst] = failed;
  if (worst !== undefined) {
    throw new HoldfastError(
      worst.error.code,
      `The runtime does not start without these secrets, which are required:${listed(failed)}`,
    );
  }
  void Promise.all(fetches.slice(count)).then((all) => {
    const missing = all.flat().filter(({ error }) => error.code !== 'RUNTIME_STOPPED');
    if (missing.length > 0)
      warn(`Secrets that the config grants are not available for now:${listed(missing)}`);
  });
}

interface Missing {
  readonly name: string;
  readonly ref: string;
  readonly error: HoldfastError;
}

/** The error is what an agent may read; whoever starts the host has written the ref, and has to look there. */
function listed(missing: readonly Missing[]): string {
  return missing
    .map(({ name, ref, error }) => `\n- ${name}: ${error.message} Its \`ref\` is "${ref}".`)
    .join('');
}

function refOf({ spec, grant }: LiveGrant): string {
  return grant.jsonKey === undefined ? spec.id : `${spec.id}#${grant.jsonKey}`;
}
