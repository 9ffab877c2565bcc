type Json = Readonly<Record<string, unknown>>;

/** The fields of an event, as far as one object can say them. */
export interface EventFields {
  /** The schema of each field, but for the type. */
  readonly fields: ReadonlyMap<string, Json>;
  /** The fields that the event has in any case. */
  readonly needed: readonly string[];
  /** What else is said of the object. */
  readonly rest: Json;
}

/** The most parts of a schema that are looked at: an agent has written it, and parts may refer to each other in circles. */
const MOST_PARTS = 2000;

/** What a reference to the root, or to a part of it that has no name, looks like. */
const OF_ROOT = /^#(?!\/(?:\$defs|definitions)\/)/;

interface Shape {
  readonly fields: ReadonlyMap<string, readonly Json[]>;
  readonly needed: ReadonlySet<string>;
}

const NOTHING: Shape = { fields: new Map(), needed: new Set() };

/**
 * The fields of the events that a schema allows. Of several shapes (`anyOf`, `oneOf`, `allOf`) it has the fields of all, because
 * APIs of models refuse a tool whose arguments are said so, and with it all others. The agent's own schema checks the event
 * in any case.
 */
export function fieldsOf(given: Json): EventFields {
  const schema = named(given);
  const { fields, needed } = new Shapes(schema).of(schema);
  const { additionalProperties, title, $defs, definitions } = schema;
  // One of several shapes may allow no field but its own, and all of them together allow more.
  const isOne = !['$ref', 'anyOf', 'oneOf', 'allOf'].some((key) => Object.hasOwn(schema, key));
  return {
    fields: new Map(Array.from(fields, ([name, schemas]) => [name, anyOf(schemas)])),
    needed: [...needed],
    rest: {
      ...(typeof title === 'string' && { title }),
      ...(isOne && additionalProperties !== undefined && { additionalProperties }),
      ...(isJson($defs) && { $defs }),
      ...(isJson(definitions) && { definitions }),
    },
  };
}

/**
 * The schema in which nothing refers to its root, since that becomes another one: the event stands under a name of its own,
 * where it is referred to.
 */
function named(schema: Json): Json {
  const { $defs } = schema;
  let name = 'event';
  while (isJson($defs) && Object.hasOwn($defs, name)) name += '_';
  let isReferred = false;
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    return isJson(value) ? Object.fromEntries(Object.entries(value).map(entry)) : value;
  };
  const entry = ([key, value]: [string, unknown]): [string, unknown] => {
    if (key !== '$ref' || !isText(value) || !OF_ROOT.test(value)) return [key, walk(value)];
    isReferred = true;
    return [key, `#/$defs/${name}${value.slice(1)}`];
  };
  const { $defs: found, ...event } = walk(schema) as Json;
  return isReferred ? { ...event, $defs: { ...(isJson(found) && found), [name]: event } } : schema;
}

/** The shapes of the parts of one schema. */
class Shapes {
  readonly #root: Json;
  readonly #referred = new Map<string, Shape>();
  #parts = 0;

  constructor(root: Json) {
    this.#root = root;
  }

  of(schema: Json): Shape {
    this.#parts += 1;
    if (this.#parts > MOST_PARTS) return NOTHING;
    const { properties, required, $ref, allOf, anyOf: any, oneOf } = schema;
    const fields = new Map<string, Json[]>();
    const needed = new Set((Array.isArray(required) ? required : []).filter(isText));
    for (const [name, field] of Object.entries(isJson(properties) ? properties : {}))
      fields.set(name, [isJson(field) ? field : {}]);
    const take = (shape: Shape): Shape => {
      for (const [name, schemas] of shape.fields) fields.set(name, [...(fields.get(name) ?? []), ...schemas]);
      return shape;
    };
    const all = [...(isText($ref) ? [this.#referredTo($ref)] : []), ...this.#shapes(allOf)];
    for (const shape of all) for (const name of take(shape).needed) needed.add(name);
    for (const some of [this.#shapes(any), this.#shapes(oneOf)]) {
      const [first = NOTHING, ...others] = some.map(take);
      for (const name of first.needed) if (others.every((other) => other.needed.has(name))) needed.add(name);
    }
    fields.delete('type');
    needed.delete('type');
    return { fields, needed };
  }

  #shapes(parts: unknown): Shape[] {
    return (Array.isArray(parts) ? parts : []).filter(isJson).map((part) => this.of(part));
  }

  /** The shape at `#`, or `#/` and the names of members. */
  #referredTo(ref: string): Shape {
    const known = this.#referred.get(ref);
    if (known !== undefined) return known;
    // For those that it refers to itself.
    this.#referred.set(ref, NOTHING);
    const [start, ...names] = ref.split('/');
    let found: unknown = start === '#' ? this.#root : undefined;
    for (const written of names) {
      const name = written.replaceAll('~1', '/').replaceAll('~0', '~');
      found = isJson(found) && Object.hasOwn(found, name) ? found[name] : undefined;
    }
    const shape = isJson(found) ? this.of(found) : NOTHING;
    this.#referred.set(ref, shape);
    return shape;
  }
}

/** What several shapes say of one field. */
function anyOf(schemas: readonly Json[]): Json {
  const different = new Map(schemas.map((schema) => [JSON.stringify(schema), schema]));
  const [first = {}, ...others] = different.values();
  return others.length === 0 ? first : { anyOf: [...different.values()] };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
