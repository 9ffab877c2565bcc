import type { AgentSchemas } from '../runtime.ts';

type Json = Readonly<Record<string, unknown>>;

/** The schema of an event with its type; `fields` is about its fields, and may name `type` or not. */
export function eventSchemaOf(type: string, fields: Json): Json {
  const own = { type: { const: type } };
  const { properties, required } = fields;
  if (fields['type'] !== 'object' || !isJson(properties)) {
    return {
      type: 'object',
      properties: own,
      required: ['type'],
      ...(Object.keys(fields).length > 0 && { allOf: [fields] }),
    };
  }
  const needed = Array.isArray(required) ? required.filter((key) => key !== 'type') : [];
  return { ...fields, properties: { ...properties, ...own }, required: ['type', ...(needed as unknown[])] };
}

/** All events that an agent accepts; undefined for one that accepts any. */
export function acceptedSchema(agent: string, { accepts }: AgentSchemas): Json | undefined {
  if (accepts === undefined) return undefined;
  const events = Object.entries(accepts).map(([type, fields]) =>
    standing(`${agent}/accepts/${type}`, eventSchemaOf(type, fields)),
  );
  return events.length === 0 ? { not: {} } : { oneOf: events, discriminator: { propertyName: 'type' } };
}

/** All replies of an agent; undefined for one that says nothing of them. */
export function replySchema(agent: string, { replies }: AgentSchemas): Json | undefined {
  if (replies === undefined) return undefined;
  const all = Object.entries(replies).map(([type, reply]) => standing(`${agent}/replies/${type}`, reply));
  return all.length === 0 ? undefined : { anyOf: all };
}

/** A schema that may stand inside of another document: what refers to a part of itself finds it by a name. */
function standing(name: string, schema: Json): Json {
  if (!JSON.stringify(schema).includes('"$ref"')) return schema;
  return { $id: `holdfast:${encodeURI(name)}`, ...schema };
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
