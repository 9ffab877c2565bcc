import { z } from 'zod';
import { moduleSchema } from './agent-schema.ts';
import { configSchema } from './schema.ts';

/**
 * The JSON Schema (2020-12) of a config file, for editors: every key with its description and default. The
 * package ships it as `holdfast/schema.json`.
 */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    // A URL instance exists in config objects only; the override below leaves the string.
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === moduleSchema) {
        delete jsonSchema.anyOf;
        jsonSchema.type = 'string';
        jsonSchema.minLength = 1;
      }
      // zod says so of every readonly array; for an editor it means that the user must not write it.
      delete jsonSchema.readOnly;
      // What zod writes for any integer or number, and what would say nothing to a reader.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER || jsonSchema.maximum === Number.MAX_VALUE) {
        delete jsonSchema.maximum;
      }
      // In a file any object may be written as that of another file.
      if (jsonSchema.type === 'object') {
        jsonSchema.patternProperties = { '^\\$include$': { $ref: '#/$defs/include' } };
      }
    },
  });
  const { $schema, $defs, ...rest } = schema;
  return {
    $schema,
    $id: 'urn:holdfast:config',
    title: 'Holdfast config',
    ...rest,
    $defs: { ...$defs, include: INCLUDE },
  };
}

const INCLUDE = {
  description:
    'The path of a JSON5 file whose value stands here, or of several whose objects are joined, the later over the earlier; ' +
    'keys beside it go over both. Relative to this file, and in the folder of the config.',
  anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
};
