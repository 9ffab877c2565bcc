import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { LONGEST_SCHEMAS, SCHEMAS } from '../wire/agent-schemas.ts';
import { isTooDeep } from '../wire/leaving.ts';
import type { Contract } from './contract.ts';

/** Libraries that give up a whole schema over one part, unless they are told not to. */
const LIBRARY_OPTIONS: Readonly<Record<string, Record<string, unknown>>> = {
  zod: { unrepresentable: 'any' },
  valibot: { errorMode: 'ignore' },
};

/** Characters that are left for the names of all types. */
const ROOM = LONGEST_SCHEMAS / 2;

/** The schemas of a contract as JSON Schemas, in a text that is not too long; what does not fit into it is `{}`. */
export function schemasText(contract: Contract): string {
  let left = ROOM;
  const jsonOf = (schema: StandardSchemaV1, side: 'input' | 'output'): unknown => {
    const json = toJson(schema, side);
    if (json.length > left) return {};
    left -= json.length;
    return JSON.parse(json) as unknown;
  };
  const all: Record<string, unknown> = {};
  for (const name of SCHEMAS) {
    const schemas = contract[name];
    if (schemas === undefined) continue;
    // What goes in is as it is sent; what comes out is as it is given.
    const side = name === 'accepts' ? 'input' : 'output';
    all[name] = Object.fromEntries(Array.from(schemas, ([type, schema]) => [type, jsonOf(schema, side)]));
  }
  const text = JSON.stringify(all);
  return text.length <= LONGEST_SCHEMAS ? text : '{}';
}

function toJson(schema: StandardSchemaV1, side: 'input' | 'output'): string {
  try {
    const { jsonSchema, vendor } = schema['~standard'] as Partial<StandardJSONSchemaV1.Props>;
    const libraryOptions = vendor === undefined ? undefined : LIBRARY_OPTIONS[vendor];
    const options = { target: 'draft-2020-12', ...(libraryOptions && { libraryOptions }) } as const;
    const { $schema: _, ...found } = jsonSchema?.[side](options) ?? {};
    const json = JSON.stringify(found);
    return isTooDeep(JSON.parse(json)) ? '{}' : json;
  } catch {
    return '{}';
  }
}
