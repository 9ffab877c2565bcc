import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { AnyEventObject } from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import { isReserved } from '../base/reserved-types.ts';
import { TYPE_LENGTH } from '../base/type-length.ts';
import { exportOf, type UserModule } from '../base/user-module.ts';
import { checked, type Checked } from './checked.ts';

/** Schemas by the type of the event. */
type Schemas = ReadonlyMap<string, StandardSchemaV1>;

/** What a module says of its agent's events, beside the logic. */
export interface Contract {
  /** The events that come in; undefined for any. */
  readonly accepts: Schemas | undefined;
  /** The replies, by the type of the event that is replied to. */
  readonly replies: Schemas | undefined;
  /** The events that the agent emits; undefined for any. */
  readonly emits: Schemas | undefined;
}

const NAMES = ['accepts', 'replies', 'emits'] as const;

/** The same for each instance of an agent; made once for each module. */
const contracts = new WeakMap<UserModule, Contract>();

/**
 * The schemas that a module exports; undefined when it exports none.
 *
 * @throws {HoldfastError} `AGENT_EXPORT_INVALID`
 */
export function contractOf(module: UserModule, moduleUrl: string): Contract | undefined {
  const known = contracts.get(module);
  if (known !== undefined) return known;
  const [accepts, replies, emits] = NAMES.map((name) =>
    schemasOf(exportOf(module, name, isRecord), name, moduleUrl),
  );
  if (accepts === undefined && replies === undefined && emits === undefined) return undefined;
  const contract = { accepts, replies, emits };
  contracts.set(module, contract);
  return contract;
}

/** The event as the agent's logic gets it, with what its schema makes of it; or what does not fit. */
export function admit({ accepts }: Contract, event: AnyEventObject): Checked {
  // What XState and the runtime tell is theirs to say, and no schema of the agent's.
  if (accepts === undefined || isReserved(event.type)) return { value: event };
  return fields(accepts.get(event.type), event, 'a type that the agent accepts');
}

/** An event by the schema of its type, which is about its fields and may leave `type` out. */
export function fields(
  schema: StandardSchemaV1 | undefined,
  event: AnyEventObject,
  expected: string,
): Checked {
  if (schema === undefined) return { issues: [{ path: ['type'], expected }] };
  const { type, ...rest } = event;
  // Found by a schema that asks for it, and not by one that refuses fields it does not know.
  Object.defineProperty(rest, 'type', { value: type, enumerable: false });
  const found = checked(schema, rest);
  if ('issues' in found) return found;
  if (!isRecord(found.value)) return { issues: [{ path: [], expected: 'a schema that gives an object' }] };
  return { value: { ...found.value, type } };
}

function schemasOf(value: unknown, name: string, moduleUrl: string): Schemas | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) throw notSchemas(moduleUrl, name, 'is no object of schemas by the type of the event');
  const schemas = new Map<string, StandardSchemaV1>();
  for (const [type, schema] of Object.entries(value)) {
    if (type.length > TYPE_LENGTH)
      throw notSchemas(moduleUrl, name, `has a type of more than ${TYPE_LENGTH} characters`);
    if (!isSchema(schema))
      throw notSchemas(moduleUrl, name, `has no Standard Schema for "${type.slice(0, 64)}"`);
    schemas.set(type, schema);
  }
  return schemas;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A schema may be a function too. */
function isSchema(value: unknown): value is StandardSchemaV1 {
  const isHolder = isRecord(value) || typeof value === 'function';
  const standard: unknown = isHolder ? (value as Partial<StandardSchemaV1>)['~standard'] : undefined;
  return isRecord(standard) && typeof standard['validate'] === 'function';
}

function notSchemas(moduleUrl: string, name: string, what: string): HoldfastError {
  return new HoldfastError(
    'AGENT_EXPORT_INVALID',
    `export "${name}" of ${moduleUrl} ${what}; export schemas by the type of the event, such as ` +
      `${name} = { say: z.object({ text: z.string() }) }, of a library that implements Standard Schema, or give it another name`,
  );
}
