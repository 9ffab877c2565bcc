import { z } from 'zod';
import { type ConfigPath, property, valueAt } from './finding.ts';
import { poolSchema } from './pool-schema.ts';
import { configSchema } from './schema.ts';
import type { Candidate } from './suggest.ts';

/**
 * What a user may have meant by an unknown key of the object at `path`: a key of that object, a key of one
 * of its parts (`restart` for `supervision.restart`), or, in an agent, a key of its pool.
 */
export function keysMeantAt(path: ConfigPath, root: unknown): Candidate[] {
  const shape = shapeAt(path);
  const own = Object.keys(shape).map((name) => ({ name }));
  const nested = Object.entries(shape).flatMap(([part, schema]) => {
    const inner = unwrap(schema);
    if (!(inner instanceof z.ZodObject)) return [];
    return Object.keys(inner.shape).map((name) => ({ name, print: `${part}.${name}` }));
  });
  return [...own, ...nested, ...poolKeys(path, root)];
}

function poolKeys(path: ConfigPath, root: unknown): Candidate[] {
  if (path.length !== 2 || path[0] !== 'agents') return [];
  const threadId = property(valueAt(root, path), 'threadId');
  const pool = typeof threadId === 'string' ? threadId : '<threadId>';
  return Object.keys(poolSchema.shape).map((name) => ({ name, print: `threads.${pool}.${name}` }));
}

function shapeAt(path: ConfigPath): Readonly<Record<string, z.core.$ZodType>> {
  const schema = path.reduce<z.core.$ZodType | undefined>(
    (current, key) => stepInto(current, key),
    configSchema,
  );
  const found = unwrap(schema);
  return found instanceof z.ZodObject ? found.shape : {};
}

function stepInto(schema: z.core.$ZodType | undefined, key: string | number): z.core.$ZodType | undefined {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) return property(inner.shape, key) as z.core.$ZodType | undefined;
  if (inner instanceof z.ZodRecord) return inner.valueType;
  return undefined;
}

function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap());
  }
  if (schema instanceof z.ZodUnion) {
    return schema.options.map((option) => unwrap(option)).find((option) => option instanceof z.ZodObject);
  }
  return schema;
}
