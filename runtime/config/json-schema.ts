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
    },
  });
  const { $schema, ...rest } = schema;
  return { $schema, $id: 'urn:holdfast:config', title: 'Holdfast config', ...rest };
}
