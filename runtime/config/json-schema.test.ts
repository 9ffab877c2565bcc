import { describe, expect, test } from 'vitest';
import { agentSchema } from './agent-schema.ts';
import { isRecord, property, valueAt } from './finding.ts';
import { configJsonSchema } from './json-schema.ts';
import { poolSchema } from './pool-schema.ts';
import { configSchema } from './schema.ts';

const schema = configJsonSchema();
const agent = valueAt(schema, ['properties', 'agents', 'additionalProperties']);
const pool = valueAt(schema, ['properties', 'threads', 'additionalProperties']);

/** Every key that an object may have, with its path and its schema. */
function keys(node: unknown, path = ''): [path: string, schema: unknown][] {
  if (Array.isArray(node)) return node.flatMap((part) => keys(part, path));
  if (!isRecord(node)) return [];
  const own = Object.entries(property(node, 'properties') ?? {});
  const nested = ['additionalProperties', 'items', 'anyOf'].flatMap((part) =>
    keys(property(node, part), `${path}.*`),
  );
  const below = own.flatMap(([key, inner]) => keys(inner, `${path}.${key}`));
  return [...own.map(([key, inner]): [string, unknown] => [`${path}.${key}`, inner]), ...below, ...nested];
}

describe('the JSON Schema of a config file', () => {
  test('says what it is', () => {
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'urn:holdfast:config',
      title: 'Holdfast config',
      type: 'object',
      required: ['agents'],
      additionalProperties: false,
    });
  });

  test('has every key of the schema, $schema too', () => {
    expect(Object.keys(property(schema, 'properties') ?? {})).toEqual(Object.keys(configSchema.shape));
    expect(Object.keys(property(schema, 'properties') ?? {})).toContain('$schema');
    expect(Object.keys(property(agent, 'properties') ?? {})).toEqual(Object.keys(agentSchema.shape));
    expect(Object.keys(property(pool, 'properties') ?? {})).toEqual(Object.keys(poolSchema.shape));
  });

  test('describes every key', () => {
    const all = keys(schema);
    expect(all.length).toBeGreaterThan(50);
    expect(
      all.filter(([, inner]) => typeof property(inner, 'description') !== 'string').map(([path]) => path),
    ).toEqual([]);
  });

  test('says the default of every key that may be left out', () => {
    const optional = keys(schema).filter(([path, inner]) => {
      const required =
        /\.(provider|type|threadId|maxThreads|restarts|withinMs|id|ref|mode|capabilities|agents|key|sha256|cert|tools|allow|path|cluster\.index|cluster\.tls\.ca)$/;
      const withoutDefault = /\.(\$schema|region|endpoint|secrets|hosts|unsafe|command|url)$/;
      return (
        !required.test(path) &&
        !withoutDefault.test(path) &&
        !/Default: /.test(String(property(inner, 'description')))
      );
    });
    expect(optional.map(([path]) => path)).toEqual([]);
  });

  test('refuses unknown keys, except those of a provider', () => {
    expect(agent).toMatchObject({
      additionalProperties: false,
      required: ['type', 'threadId', 'maxThreads'],
    });
    expect(pool).toMatchObject({ additionalProperties: false });
    expect(property(pool, 'required')).toBeUndefined();
    expect(valueAt(schema, ['properties', 'externalSecrets'])).toMatchObject({
      additionalProperties: {},
      required: ['provider'],
    });
  });

  test('knows ranges, values and defaults', () => {
    expect(property(agent, 'properties')).toMatchObject({
      type: { const: 'thread-bound' },
      maxThreads: { type: 'integer', minimum: 1 },
      mailbox: {
        properties: {
          capacity: { type: 'integer', minimum: 1, default: 1000 },
          overflow: { enum: ['reject', 'drop-oldest', 'drop-newest'], default: 'reject' },
          warnBytes: { type: 'integer', minimum: 1, default: 65_536 },
          maxBytes: { type: 'integer', minimum: 1, default: 1_048_576 },
        },
      },
      mirror: { enum: ['latest', 'all'], default: 'latest' },
    });
    expect(valueAt(agent, ['properties', 'maxThreads', 'maximum'])).toBeUndefined();
    expect(valueAt(pool, ['properties', 'sharedMemory'])).toMatchObject({ type: 'boolean', default: false });
    expect(valueAt(pool, ['properties', 'idleTimeoutMs'])).toMatchObject({
      minimum: 0,
      maximum: 2_147_483_647,
    });
  });

  test('takes a module as text only: a file has no URL instances', () => {
    const module = valueAt(agent, ['properties', 'module']);
    expect(module).toMatchObject({ type: 'string', minLength: 1 });
    expect(module).not.toHaveProperty('anyOf');
  });

  test('is plain JSON', () => {
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
    expect(JSON.stringify(schema)).not.toContain('readOnly');
  });
});
