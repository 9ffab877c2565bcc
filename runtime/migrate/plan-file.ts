import { z } from 'zod';
import type { Grant } from '../config/grant-schema.ts';
import { HoldfastError } from '../base/errors.ts';
import type { OldSecret } from './proposed-grants.ts';
import type { PlainCredential } from './old-files.ts';
import type { Choices } from './choices.ts';
import type { Plan } from './plan.ts';

const planSchema = z.strictObject({
  version: z.literal(1),
  generatedBy: z.string().optional(),
  /** The config it is for, an absolute path. */
  config: z.string(),
  kept: z.array(z.strictObject({ id: z.string().min(1), places: z.array(z.string()).min(1) })),
  grants: z.array(
    z.strictObject({
      /** Where the secret stood, or the variable that had it. */
      of: z.string(),
      label: z.string().min(1),
      agents: z.array(z.string()),
      // A config that has it is checked as a whole.
      grant: z.record(z.string(), z.unknown()).nullable(),
    }),
  ),
});

/** A plan as a person reads and edits it. No value of a secret is in it. */
export type PlanFile = z.output<typeof planSchema>;

/** A plan with nothing decided yet. */
export function planFile(plan: Plan, generatedBy: string): PlanFile {
  return {
    version: 1,
    generatedBy,
    config: plan.file,
    kept: plan.kept.map(({ id, places }) => ({ id, places: places.map(placeOf) })),
    grants: plan.proposals.map(({ secret, label, agents, grant }) => ({
      of: nameOf(secret),
      label,
      agents: [...agents],
      grant: grant === undefined ? null : { ...grant },
    })),
  };
}

/**
 * Reads a plan.
 *
 * @throws {HoldfastError} `CONFIG_INVALID` for what is no plan, with all that is wrong
 */
export function parsePlan(text: string): PlanFile {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw new HoldfastError(
      'CONFIG_INVALID',
      'the plan is not valid JSON; make one with holdfast secrets configure',
    );
  }
  const { data, error } = planSchema.safeParse(found);
  if (data !== undefined) return data;
  const problems = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new HoldfastError('CONFIG_INVALID', `the plan is not valid: ${problems.join('; ')}`);
}

/** What a plan says. */
export function choicesOf({ kept, grants }: PlanFile): Choices {
  const ids = new Map(kept.flatMap(({ id, places }) => places.map((place) => [place, id] as const)));
  const byName = new Map(grants.map((one) => [one.of, one]));
  return {
    idOf: (places) => places.map((one) => ids.get(placeOf(one))).find((id) => id !== undefined),
    grantOf: (secret) => {
      const found = byName.get(nameOf(secret));
      if (found === undefined) return undefined;
      const { label, agents, grant } = found;
      if (grant === null) return { label, agents };
      // Whatever it says of the ref, the secret is where it is kept.
      return { label, agents, grant: { ...grant, ref: { ...secret.ref } } as Grant };
    },
    assertKnown: ({ credentials, secrets, agents }) => {
      const [places, names] = [new Set(credentials.map(placeOf)), new Set(secrets.map(nameOf))];
      const problems = [
        ...[...ids.keys()]
          .filter((place) => !places.has(place))
          .map((place) => `no credential is at ${place}`),
        ...grants.filter(({ of }) => !names.has(of)).map(({ of }) => `no secret was at ${of}`),
        ...grants.flatMap((one) =>
          one.agents
            .filter((agent) => !agents.includes(agent))
            .map((agent) => `no agent has the name ${agent}`),
        ),
      ];
      if (problems.length === 0) return;
      const message = `the plan does not fit: ${[...new Set(problems)].join('; ')}. Make a new one: holdfast secrets configure`;
      throw new HoldfastError('CONFIG_INVALID', message);
    },
  };
}

function placeOf({ file, path }: PlainCredential): string {
  return `${file}#${path}`;
}

function nameOf({ keys, names }: OldSecret): string {
  return (keys ?? names).join('.');
}
