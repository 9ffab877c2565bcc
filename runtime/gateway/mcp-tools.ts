import { hash } from 'node:crypto';
import { isReserved } from '../base/reserved-types.ts';
import { TYPE_LENGTH } from '../base/type-length.ts';
import type { AgentSchemas } from '../runtime.ts';
import { fieldsOf } from './event-fields.ts';

type Json = Readonly<Record<string, unknown>>;

/** An event of an agent as a tool of MCP. */
export interface McpTool {
  readonly agent: string;
  /** The type of the event. */
  readonly type: string;
  /** The argument that names the instance: one that no field of the event is called. */
  readonly idKey: string;
  /** As `tools/list` shows it. */
  readonly shown: {
    readonly name: string;
    readonly description: string;
    readonly inputSchema: Json & { readonly type: 'object' };
    readonly outputSchema?: Json & { readonly type: 'object' };
  };
}

/**
 * The longest name, and what stands in one: what the APIs of models allow, which is less than what MCP does. Of one name that
 * they refuse, clients lose all tools of all servers.
 */
const LONGEST_NAME = 64;
const NOT_IN_NAMES = /[^A-Za-z0-9_-]/g;
/** Characters of a digest in hex that tell names apart; more of them where a name is taken all the same. */
const SHORT_DIGEST = 8;
const LONGEST_DIGEST = 56;

/**
 * The tools of agents: the events that an agent accepts and says to reply to. Their names are `agent_event`; what no model
 * takes in a name is `_`, and names that would be the same or too long end with a digest.
 */
export function toolsOf(agents: ReadonlyMap<string, AgentSchemas>): Map<string, McpTool> {
  const tools = new Map<string, McpTool>();
  for (const [agent, { accepts = {}, replies = {} }] of agents) {
    for (const [type, schema] of Object.entries(accepts)) {
      if (!Object.hasOwn(replies, type) || isReserved(type) || type === '' || type.length > TYPE_LENGTH)
        continue;
      const name = nameOf(agent, type, (one) => tools.has(one));
      tools.set(name, toolOf(name, agent, type, schema, replies[type] ?? {}));
    }
  }
  return tools;
}

function nameOf(agent: string, type: string, isTaken: (name: string) => boolean): string {
  const name = `${agent}_${type}`.replaceAll(NOT_IN_NAMES, '_');
  if (name.length <= LONGEST_NAME && !isTaken(name)) return name;
  const digest = hash('sha256', `${agent}\n${type}`);
  for (let length = SHORT_DIGEST; ; length += SHORT_DIGEST) {
    const ended = `${name.slice(0, LONGEST_NAME - length - 1)}_${digest.slice(0, length)}`;
    // An event may be called what another one is named.
    if (!isTaken(ended) || length === LONGEST_DIGEST) return ended;
  }
}

function toolOf(name: string, agent: string, type: string, schema: Json, reply: Json): McpTool {
  const { description } = schema;
  const { fields, needed, rest } = fieldsOf(schema);
  let idKey = fields.has('id') ? 'instance' : 'id';
  while (fields.has(idKey)) idKey += '_';
  const id = {
    type: 'string',
    minLength: 1,
    description: `The instance of "${agent}" that is asked; it is started when there is none.`,
  };
  const inputSchema = {
    ...rest,
    type: 'object' as const,
    properties: { [idKey]: id, ...Object.fromEntries(fields) },
    required: [idKey, ...needed],
  };
  const said =
    typeof description === 'string'
      ? description
      : `Sends "${type}" to the agent "${agent}", and gives its reply.`;
  const outputSchema = reply['type'] === 'object' ? { ...reply, type: 'object' as const } : undefined;
  return {
    agent,
    type,
    idKey,
    shown: { name, description: said, inputSchema, ...(outputSchema && { outputSchema }) },
  };
}
