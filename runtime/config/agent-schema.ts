import { z } from 'zod';
import { flag, integer, namedMap, numeric, text, timeSpan, meaning } from './fields.ts';
import { grantSchema } from './grant-schema.ts';
import { mcpServerSchema } from './mcp-schema.ts';

/** Where an agent's code is: a path or `file:` URL. URL instances can only come from a config object. */
export const moduleSchema = z
  .union([text(), z.instanceof(URL, { error: 'a URL' })])
  .register(
    ...meaning(
      'The module that exports the agent: a path relative to the config file (to the working directory for a ' +
        'config object) or a file: URL. Default: ./agents/<name>.ts, .mts, .cts, .js, .mjs or .cjs, the first that exists.',
    ),
  );

const intensitySchema = z
  .strictObject({
    restarts: integer(0).describe(
      'How many restarts are allowed within the window; 0 quarantines at the first failure.',
    ),
    withinMs: timeSpan(1).describe('The window in milliseconds.'),
  })
  .register(
    ...meaning(
      'How often an instance may restart before it is quarantined and the failure escalates. Default: 5 in 30000 ms.',
    ),
  );

const backoffSchema = z
  .strictObject({
    minMs: timeSpan(0)
      .default(200)
      .register(...meaning('Wait before the first restart, in milliseconds. Default: 200.')),
    maxMs: timeSpan(0)
      .default(10_000)
      .register(...meaning('Longest wait before a restart, in milliseconds. Default: 10000.')),
    factor: numeric(1)
      .default(2)
      .register(...meaning('What the wait is multiplied by after each restart. Default: 2.')),
    jitter: numeric(0, 1)
      .default(0.2)
      .register(...meaning('Random extra wait as a part of the wait: 0.2 adds 0 to 20 %. Default: 0.2.')),
  })
  .register(
    ...meaning('How long to wait before a restart. Default: 200 ms, doubling, at most 10 s, plus 0 to 20 %.'),
  );

const supervisionSchema = z
  .strictObject({
    restart: z
      .enum(['permanent', 'transient', 'temporary'])
      .default('transient')
      .register(
        ...meaning(
          'When a stopped instance is started again. permanent: always; transient: after a failure, but not when it ' +
            'is done; temporary: never. Default: transient.',
        ),
      ),
    state: z
      .enum(['fresh', 'snapshot'])
      .optional()
      .register(
        ...meaning(
          'What a restarted instance begins with. fresh: its input; snapshot: the last state that was saved. Default: ' +
            'snapshot when there is a store that is durable, else fresh.',
        ),
      ),
    timers: z
      .enum(['deadline', 'remaining', 'restart'])
      .default('deadline')
      .register(
        ...meaning(
          'When the timers of an instance come that continues from a snapshot. deadline: when they were due, at once if ' +
            'that has passed; remaining: after what was left of them; restart: after the whole delay. Default: deadline.',
        ),
      ),
    invoked: z
      .enum(['restart', 'fail'])
      .default('restart')
      .register(
        ...meaning(
          'What becomes of promises, callbacks and observables that were active when an instance ended which goes on from its ' +
            'last state. restart: they begin anew; fail: they end with INVOKE_INTERRUPTED, as onError has it. Default: restart.',
        ),
      ),
    strategy: z
      .enum(['one-for-one', 'all-for-one', 'rest-for-one'])
      .default('one-for-one')
      .register(
        ...meaning(
          'Which other instances of the agent are started again with one that failed. one-for-one: none; all-for-one: ' +
            'all; rest-for-one: those that were started after it. Default: one-for-one.',
        ),
      ),
    intensity: intensitySchema.prefault({ restarts: 5, withinMs: 30_000 }),
    backoff: backoffSchema.prefault({}),
  })
  .register(
    ...meaning(
      'What happens after an instance fails. Default: transient, 5 restarts in 30000 ms, 200 ms to 10 s apart.',
    ),
  );

const mailboxSchema = z
  .strictObject({
    capacity: integer(1)
      .default(1000)
      .register(...meaning('How many events may wait or be unacknowledged for one instance. Default: 1000.')),
    overflow: z
      .enum(['reject', 'drop-oldest', 'drop-newest'])
      .default('reject')
      .register(
        ...meaning(
          'What happens to an event that finds the mailbox full. reject: it is refused; drop-oldest: the oldest that ' +
            'waits gives way to it; drop-newest: the newest gives way. Default: reject.',
        ),
      ),
    drain: z
      .enum(['finish', 'discard'])
      .default('finish')
      .register(
        ...meaning(
          'What becomes of events that still wait when the runtime drains or stops. finish: they are handled, as far as ' +
            'the time goes; discard: they become dead letters. Default: finish.',
        ),
      ),
    warnBytes: integer(1)
      .default(65_536)
      .register(
        ...meaning(
          'An event estimated larger than this, in bytes, is warned about. At most maxBytes. Default: 65536.',
        ),
      ),
    maxBytes: integer(1)
      .default(1_048_576)
      .register(...meaning('An event estimated larger than this, in bytes, is refused. Default: 1048576.')),
  })
  .register(
    ...meaning(
      'The bounded queue in front of each instance. Default: 1000 events of at most 1 MiB, more are refused.',
    ),
  );

const instanceSchema = z.union([
  text(),
  z.strictObject({
    id: text().describe('The id.'),
    input: z
      .unknown()
      .optional()
      .register(...meaning("The machine's input. Default: none.")),
  }),
]);

/** One agent of the config. */
export const agentSchema = z
  .strictObject({
    type: z
      .literal('thread-bound')
      .register(...meaning('The kind of agent: each instance is pinned to a worker thread.')),
    threadId: text().describe('The pool: agents with the same threadId share its threads.'),
    maxThreads: integer(1).describe(
      'Hard cap of live worker threads with this threadId, at least 1. Agents that share a threadId give the same number.',
    ),
    module: moduleSchema.optional(),
    export: text()
      .default('default')
      .register(
        ...meaning("The name of the module's export that holds the agent's logic. Default: default."),
      ),
    secrets: namedMap(grantSchema)
      .optional()
      .register(...meaning('Grants by label: which secrets the agent may use and how. Default: none.')),
    mcp: namedMap(mcpServerSchema)
      .optional()
      .register(...meaning('MCP servers by name, whose tools the agent may call. Default: none.')),
    instances: z
      .array(instanceSchema)
      .readonly()
      .optional()
      .register(
        ...meaning(
          'Instances that start with the runtime: ids, or { id, input }. The start fails when one of them does. ' +
            'A gateway starts those that are missing again in each new process. Default: none.',
        ),
      ),
    durable: flag()
      .default(true)
      .register(
        ...meaning(
          'Whether each turn is committed before anything of it is told, with a store under every turn. false: states are ' +
            'written behind, and what was told may be lost with the process. Default: true.',
        ),
      ),
    passivateAfterMs: timeSpan(0)
      .default(0)
      .register(
        ...meaning(
          'After how many milliseconds without anything to do a durable instance leaves memory, and comes back with its next ' +
            'event; 0: never. Only with the strategy one-for-one. Default: 0.',
        ),
      ),
    mailbox: mailboxSchema.prefault({}),
    supervision: supervisionSchema.prefault({}),
    placement: z
      .union([
        z.enum(['fewest', 'exclusive']),
        z.strictObject({
          key: z.literal(true).register(...meaning('The same id goes to the thread of the same number.')),
        }),
      ])
      .default('fewest')
      .register(
        ...meaning(
          'Which thread of the pool gets an instance. fewest: the one with the fewest; exclusive: one that it has for ' +
            'itself; { key: true }: always the one of the same number for the same id. Default: fewest.',
        ),
      ),
    mirror: z
      .enum(['latest', 'all'])
      .default('latest')
      .register(
        ...meaning(
          'Which snapshots reach a watcher in the host. latest: the newest, when several changed at once; all: every one. ' +
            'Default: latest.',
        ),
      ),
    maxIterations: integer(1)
      .default(10_000)
      .register(
        ...meaning(
          'How many transitions one event of a state machine may cause before it fails. Default: 10000.',
        ),
      ),
  })
  .register(...meaning('One agent: an XState actor whose instances are pinned to the threads of a pool.'));

/**
 * One agent, as written in a config. Defaults: `module` `./agents/<name>.{ts,mts,cts,js,mjs,cjs}`, `export`
 * `'default'`, no secrets, 1000 events of mailbox, `transient` restarts, at most 5 in 30 s.
 */
export interface AgentConfig extends z.input<typeof agentSchema> {}

/** The handling of failures of an instance, as written in a config; every field has a default. */
export interface Supervision extends z.input<typeof supervisionSchema> {}
