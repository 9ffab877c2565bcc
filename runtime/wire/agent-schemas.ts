import { isTooDeep } from './leaving.ts';
import { isPlain } from './shapes.ts';

/** A JSON Schema of the draft 2020-12; `{}` where its library cannot give one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What an agent's module says of its events, as JSON Schemas by the type of the event. */
export interface AgentSchemas {
  /** The events that come in, without `type`; undefined for any. */
  readonly accepts?: Readonly<Record<string, JsonSchema>>;
  /** The replies, by the type of the event that is replied to. */
  readonly replies?: Readonly<Record<string, JsonSchema>>;
  /** The events that the agent emits, without `type`. */
  readonly emits?: Readonly<Record<string, JsonSchema>>;
}

/** The three, in the order in which they are told. */
export const SCHEMAS = ['accepts', 'replies', 'emits'] as const satisfies (keyof AgentSchemas)[];

/** The most characters in which an agent's schemas cross: as many as a page of documentation may have, and not a book. */
export const LONGEST_SCHEMAS = 256 * 1024;

/** The schemas in a text that a thread has sent; undefined when it is none. As text they are plain data for sure. */
export function agentSchemasIn(text: unknown): AgentSchemas | undefined {
  if (typeof text !== 'string' || text.length > LONGEST_SCHEMAS) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isPlain(value) && !isTooDeep(value) && SCHEMAS.every((name) => areSchemas(value[name]))
      ? value
      : undefined;
  } catch {
    return undefined;
  }
}

function areSchemas(value: unknown): boolean {
  return value === undefined || (isPlain(value) && Object.values(value).every(isPlain));
}
