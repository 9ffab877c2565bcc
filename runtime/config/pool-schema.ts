import { z } from 'zod';
import { anyText, flag, integer, megabytes, namedMap, text, timeSpan, meaning } from './fields.ts';

const permissionsSchema = z
  .strictObject({
    read: z
      .array(text())
      .readonly()
      .prefault([])
      .register(
        ...meaning("Files and folders that may be read, besides the agents' own modules. Default: none."),
      ),
    write: z
      .array(text())
      .readonly()
      .prefault([])
      .register(...meaning('Files and folders that may be written. Default: none.')),
    net: flag()
      .default(false)
      .register(...meaning('Whether the network may be used. Default: false.')),
  })
  .register(
    ...meaning(
      'What a pool with isolation thread+permissions may do. Paths are relative to the config file. Default: nothing.',
    ),
  );

const resourceLimitsSchema = z
  .strictObject({
    maxOldGenerationSizeMb: megabytes()
      .optional()
      .register(...meaning("Size of a thread's main heap, in MiB. Default: Node's.")),
    maxYoungGenerationSizeMb: megabytes()
      .optional()
      .register(...meaning('Size of the heap for recently created objects, in MiB. Default: that of Node.')),
    stackSizeMb: megabytes()
      .optional()
      .register(...meaning('Size of the stack, in MiB. Default: that of Node, 4.')),
  })
  .register(...meaning('Memory limits of each thread of the pool. Default: those of Node.'));

const watchdogSchema = z
  .strictObject({
    warnMs: timeSpan(0)
      .default(1000)
      .register(
        ...meaning(
          'A turn that takes longer than this, in milliseconds, is warned about; 0: never. Default: 1000.',
        ),
      ),
    killMs: timeSpan(0)
      .default(15_000)
      .register(
        ...meaning(
          'A thread that does nothing else for this long, in milliseconds, is ended, and its instances go on by their ' +
            'restart policy; 0: never. Default: 15000.',
        ),
      ),
  })
  .register(
    ...meaning(
      'When a thread of the pool is too long at one thing. Default: a warning after 1000 ms, the end after 15000 ms.',
    ),
  );

/** One pool of `threads`; every field is optional. */
export const poolSchema = z
  .strictObject({
    minThreads: integer(0)
      .default(0)
      .register(
        ...meaning(
          'How many threads are kept alive without work; at most maxThreads. Default: 0, started on demand.',
        ),
      ),
    idleTimeoutMs: timeSpan(0)
      .default(60_000)
      .register(
        ...meaning('After how many milliseconds a thread without instances is retired. Default: 60000.'),
      ),
    isolation: z
      .enum(['thread', 'thread+permissions'])
      .optional()
      .register(
        ...meaning(
          'How far the threads are closed off. thread: a thread of its own; thread+permissions: also no files, processes, ' +
            'addons or inspector beyond permissions. Default: thread+permissions when an agent of the pool has a grant, else thread.',
        ),
      ),
    permissions: permissionsSchema.prefault({}),
    env: z
      .record(anyText(), anyText())
      .default({})
      .register(
        ...meaning("The whole environment of the threads; the host's is never passed on. Default: empty."),
      ),
    resourceLimits: resourceLimitsSchema.optional(),
    heapBudgetMb: megabytes()
      .optional()
      .register(
        ...meaning(
          'A thread that keeps more than this on its heap, in MiB, is replaced; its instances move. Default: 80 % of ' +
            'resourceLimits.maxOldGenerationSizeMb, if that is written; else none.',
        ),
      ),
    activatedInstances: integer(0)
      .default(1000)
      .register(
        ...meaning(
          'How many instances that its agents have started, by agentRef with activate, may be there at a time; 0: none. ' +
            'Default: 1000.',
        ),
      ),
    maxResident: integer(1)
      .optional()
      .register(
        ...meaning(
          'How many instances the pool holds in memory, as far as the others are durable and may leave it: when another is to ' +
            'come, the one leaves that has done nothing for longest. Default: no bound.',
        ),
      ),
    sharedMemory: flag()
      .default(false)
      .register(
        ...meaning(
          'Whether messages to and from the pool may carry a SharedArrayBuffer: memory that both sides then write. Default: false.',
        ),
      ),
    watchdog: watchdogSchema.prefault({}),
    startTimeoutMs: timeSpan(1)
      .default(10_000)
      .register(
        ...meaning(
          'How long a thread may take to start, and an instance wait for a free one, in milliseconds. Default: 10000.',
        ),
      ),
    intensity: z
      .strictObject({
        restarts: integer(0).describe(
          'How many failed starts and quarantined instances are allowed within the window.',
        ),
        withinMs: timeSpan(1).describe('The window in milliseconds.'),
      })
      .prefault({ restarts: 3, withinMs: 60_000 })
      .register(
        ...meaning(
          'How often threads may fail to start, or instances be quarantined, before the pool starts no more threads. ' +
            'Default: 3 in 60000 ms.',
        ),
      ),
  })
  .register(...meaning('How the threads of one pool are run.'));

/** `threads` of the config: pools by threadId. */
export const threadsSchema = namedMap(poolSchema).register(
  ...meaning(
    'How the threads of a pool are run, by threadId. Only for the threadIds that agents use. Default: the defaults of each.',
  ),
);

/** The settings of one pool, as written in a config; every field has a default. */
export interface PoolConfig extends z.input<typeof poolSchema> {}
