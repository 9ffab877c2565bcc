import { z } from 'zod';
import { anyText, formed, integer, namedMap, rate, text, timeSpan, meaning } from './fields.ts';

/** The name of a tool, with `*` for any characters. */
const TOOL_PATTERN = /^[^\s]{1,200}$/;

const patterns = z.array(formed(TOOL_PATTERN, 'the name of a tool, with * for any characters'));

/** One MCP server of an agent. Which keys go together is checked in `mcp-checks.ts`. */
export const mcpServerSchema = z
  .strictObject({
    command: text()
      .optional()
      .register(
        ...meaning(
          'A program to run, which speaks MCP on its input and output: a name that is looked for in the PATH of env, or a ' +
            'path, relative to the config file. Either this or url is required.',
        ),
      ),
    url: text()
      .optional()
      .register(
        ...meaning(
          'The URL of a service that speaks MCP over HTTP: https, or http on a loopback address. Either this or command is ' +
            'required.',
        ),
      ),
    secret: text()
      .optional()
      .register(
        ...meaning(
          'For url: the label of a grant of the agent, of the mode inject, by whose rules requests are sent. Default: none; ' +
            'they are sent without a secret.',
        ),
      ),
    args: z
      .array(anyText())
      .readonly()
      .default([])
      .register(...meaning('For command: its arguments. Default: none.')),
    env: namedMap(anyText())
      .default({})
      .register(...meaning('For command: its whole environment; nothing is inherited. Default: empty.')),
    cwd: text()
      .default('.')
      .register(...meaning('For command: its working directory. Default: the folder of the config file.')),
    tools: z
      .strictObject({
        allow: patterns
          .min(1, 'at least one tool')
          .readonly()
          .register(...meaning('The tools that the agent may call, by name; * stands for any characters.')),
        deny: patterns
          .readonly()
          .default([])
          .register(...meaning('Tools that it may not call, although allow names them. Default: none.')),
      })
      .register(...meaning('The tools that the agent may call. Others are refused.')),
    rate: rate()
      .optional()
      .register(
        ...meaning(
          'How many calls may begin in a second, minute or hour, of all instances of the agent together. Default: no limit.',
        ),
      ),
    maxConcurrent: integer(1, 1000)
      .default(16)
      .register(...meaning('How many calls run at one time; others wait for their turn. Default: 16.')),
    timeoutMs: timeSpan(1)
      .default(60_000)
      .register(
        ...meaning('Milliseconds for one call, with its wait and a start of the server. Default: 60000.'),
      ),
    startTimeoutMs: timeSpan(1)
      .default(30_000)
      .register(
        ...meaning('Milliseconds until the server must have answered for the first time. Default: 30000.'),
      ),
    maxArgumentBytes: integer(1, 16_777_216)
      .default(262_144)
      .register(...meaning('Larger arguments of a call, in bytes of JSON, are refused. Default: 262144.')),
    maxResultBytes: integer(1, 67_108_864)
      .default(1_048_576)
      .register(
        ...meaning('A larger answer to a call, in bytes as it is sent, is refused. Default: 1048576.'),
      ),
  })
  .register(...meaning('An MCP server, and which of its tools the agent may call.'));

/** An MCP server of an agent, as written in a config. */
export interface McpServerConfig extends z.input<typeof mcpServerSchema> {}
