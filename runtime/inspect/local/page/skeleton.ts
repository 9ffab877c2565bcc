import type { Schema } from './told.ts';

/** Levels that a person would fill in by hand, and values; what is beyond them is `null`. */
const deepest = 8;
const mostValues = 200;

/**
 * An event of that type to be filled in: the fields that its schema requires, and those that have a default. A schema
 * comes from a thread and may be anything: parts that make no sense are `null`, and the work is bounded.
 */
export function skeletonOf(type: string, schema: Schema): object {
  const fields = new Skeleton(schema).of(schema, 0);
  const others = Object.entries(isRecord(fields) ? fields : {}).filter(([name]) => name !== 'type');
  return Object.fromEntries([['type', type], ...others]);
}

class Skeleton {
  readonly #root: Schema;
  #left = mostValues;

  constructor(root: Schema) {
    this.#root = root;
  }

  of(schema: unknown, depth: number): unknown {
    this.#left -= 1;
    if (!isRecord(schema) || depth > deepest || this.#left < 0) return null;
    const { default: given, const: only, enum: choices, examples } = schema;
    for (const known of [given, only]) if (known !== undefined) return known;
    for (const known of [choices, examples]) if (Array.isArray(known) && known.length > 0) return known[0];
    if (typeof schema['$ref'] === 'string') return this.of(this.#referred(schema['$ref']), depth + 1);
    const { allOf, anyOf, oneOf } = schema;
    const [alternative] = [anyOf, oneOf].filter(Array.isArray) as unknown[][];
    if (alternative !== undefined) return this.of(alternative[0], depth + 1);
    if (Array.isArray(allOf)) {
      const parts = allOf.slice(0, mostValues).map((part) => this.of(part, depth + 1));
      const all = [this.#object(schema, depth), ...parts].filter(isRecord);
      return Object.fromEntries(all.flatMap((part) => Object.entries(part)));
    }
    return this.#simple(schema, depth);
  }

  #simple(schema: Schema, depth: number): unknown {
    const { type, items, prefixItems, minimum, exclusiveMinimum } = schema;
    switch (Array.isArray(type) ? (type as unknown[])[0] : type) {
      case 'string':
        return '';
      case 'boolean':
        return false;
      case 'number':
      case 'integer':
        if (typeof minimum === 'number') return minimum;
        return typeof exclusiveMinimum === 'number' ? exclusiveMinimum + 1 : 0;
      case 'array': {
        const first = Array.isArray(prefixItems)
          ? (prefixItems as unknown[])
          : isRecord(items)
            ? [items]
            : [];
        return first.slice(0, mostValues).map((item) => this.of(item, depth + 1));
      }
      case 'object':
        return this.#object(schema, depth);
      default:
        return isRecord(schema['properties']) ? this.#object(schema, depth) : null;
    }
  }

  #object({ properties, required }: Schema, depth: number): Schema {
    if (!isRecord(properties)) return {};
    const needed = new Set<unknown>(Array.isArray(required) ? required : []);
    const shown = Object.entries(properties).filter(
      ([name, part]) => needed.has(name) || (isRecord(part) && part['default'] !== undefined),
    );
    return Object.fromEntries(
      shown.slice(0, mostValues).map(([name, part]) => [name, this.of(part, depth + 1)]),
    );
  }

  /** The part of the schema that a reference such as `#/$defs/item` leads to. */
  #referred(reference: string): unknown {
    if (!reference.startsWith('#')) return undefined;
    let found: unknown = this.#root;
    for (const key of reference.split('/', deepest).slice(1)) {
      const name = key.replaceAll('~1', '/').replaceAll('~0', '~');
      found = isRecord(found) && Object.hasOwn(found, name) ? found[name] : undefined;
    }
    return found;
  }
}

function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
