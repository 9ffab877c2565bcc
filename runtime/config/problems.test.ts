import { describe, expect, test } from 'vitest';
import { configFolder, errorOf, errorOfText, inShort } from './fixtures/config-folder.ts';

const bound = { type: 'thread-bound', threadId: 'pool', maxThreads: 2 } as const;

/** A config file of one agent `a`, which is in line 2, with more in it. */
const withAgent = (more: string, rest = '') =>
  `{ "agents": {\n"a": { "type": "thread-bound", "threadId": "p", "maxThreads": 2, ${more} } }${rest} }`;

describe('the report of a bad file', () => {
  const text = `{
  "agents": {
    "a": { "type": "thread-bound", "threadId": "p", "maxThreads": 2, "mirorr": "latest" },
    "b": { "type": "thread-bound", "threadId": "p", "maxThreads": 3, "export": 7 },
    "x": { "type": "thread-bound", "threadId": "q", "maxThreads": 0, "module": "./x.ts" }
  }
}
`;

  test('has every problem with its place, its line and a caret', async () => {
    const error = await errorOfText(text);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toBe(
      `CONFIG_INVALID: 5 problems in c.json
  c.json:3:70 agents.a.mirorr: unknown key "mirorr"; did you mean "mirror"?
    3 |     "a": { "type": "thread-bound", "threadId": "p", "maxThreads": 2, "mirorr": … },
      |                                                                      ^
  c.json:4:67 agents.b.maxThreads: agent "b" gives threadId "p" maxThreads 3, but agent "a" gives it 2; write the same number in both (see line 3)
    4 |     "b": { "type": "thread-bound", "threadId": "p", "maxThreads": 3, "export": 7 },
      |                                                                   ^
  c.json:4:80 agents.b.export: expected a non-empty string, got 7
    4 |     "b": { "type": "thread-bound", "threadId": "p", "maxThreads": 3, "export": 7 },
      |                                                                                ^
  c.json:5:67 agents.x.maxThreads: expected an integer >= 1, got 0
    5 |     "x": { "type": "thread-bound", "threadId": "q", "maxThreads": 0, "module": "./x.ts" }
      |                                                                   ^
  c.json:5:80 agents.x.module: module of agent "x" not found; create it, or correct "module"; tried:
    x.ts
    5 |     "x": { "type": "thread-bound", "threadId": "q", "maxThreads": 0, "module": "./x.ts" }
      |                                                                                ^`,
    );
  });

  test('is the same for a file with a BOM and CRLF', async () => {
    const plain = await errorOfText(text);
    const windows = await errorOfText(`\uFEFF${text.replaceAll('\n', '\r\n')}`);
    expect(windows.message).toBe(plain.message);
  });

  test('names the file relative to the working directory when it is below', async () => {
    const folder = await configFolder();
    const file = await folder.write('conf/c.json', '{}');
    const home = process.cwd();
    try {
      expect((await errorOf(file)).problems).toMatchObject([{ file, line: 1, column: 1 }]);
      process.chdir(folder.path);
      expect((await errorOf(file)).message).toContain(
        '  conf/c.json:1:1 agents: missing key "agents"; expected an object',
      );
    } finally {
      process.chdir(home);
    }
  });

  test('of a config object has neither file nor line', async () => {
    const error = await errorOf({ agents: { a: { ...bound, maxThreads: 1.5, nope: 1 } } });
    expect(error.message).toMatch(
      /^CONFIG_INVALID: 3 problems in the config object\n {2}agents\.a\.maxThreads: expected/,
    );
    for (const problem of error.problems) {
      expect(problem).not.toHaveProperty('file');
      expect(problem).not.toHaveProperty('line');
    }
  });

  test('prints the first hundred of very many problems and keeps all', async () => {
    const members = Array.from({ length: 20_000 }, (_, index) => `"k${index}":1`);
    const error = await errorOfText(`{"agents":{},${members.join(',')}}`);
    expect(error.problems).toHaveLength(20_000);
    expect(error.message).toContain('and 19900 more; all are in the problems of this error');
    expect(error.message.length).toBeLessThan(100_000);
  });
});

describe('each kind of problem has its code and its place', () => {
  const cases: [what: string, text: string, ...expected: string[]][] = [
    ['an unknown key at the root', '{"agents": {},\n "agent": {}}', 'unknown-key 2:2 agent'],
    ['an unknown key of an agent', withAgent('"watchdog": 1'), 'unknown-key 2:66 agents.a.watchdog'],
    [
      'keys of a later version',
      withAgent('"mailbox": {"stash": 1}, "supervision": {"escalate": true}'),
      'unknown-key 2:78 agents.a.mailbox.stash',
      'unknown-key 2:107 agents.a.supervision.escalate',
    ],
    ['an unknown value', withAgent('"mirror": "newest"'), 'unknown-value 2:76 agents.a.mirror'],
    [
      'a placement of another kind',
      withAgent('"placement": "most"'),
      'unknown-value 2:79 agents.a.placement',
    ],
    [
      'a placement by something else',
      withAgent('"placement": {"id": true, "key": false}'),
      'unknown-key 2:80 agents.a.placement.id',
      'wrong-type 2:99 agents.a.placement.key',
    ],
    [
      'another type of agent',
      '{"agents": {"a": {"type": "process", "threadId": "p", "maxThreads": 1}}}',
      'unknown-value 1:27 agents.a.type',
    ],
    ['a number instead of text', withAgent('"export": 1'), 'wrong-type 2:76 agents.a.export'],
    ['text instead of a number', withAgent('"maxIterations": "3"'), 'wrong-type 2:83 agents.a.maxIterations'],
    ['null', withAgent('"mailbox": null'), 'wrong-type 2:77 agents.a.mailbox'],
    [
      'a fraction of a thread',
      '{"agents": {"a": {"type": "thread-bound", "threadId": "p", "maxThreads": 1.5}}}',
      'wrong-type 1:74 agents.a.maxThreads',
    ],
    [
      'a number below the safe ones',
      withAgent('"maxIterations": -1e300'),
      'out-of-range 2:83 agents.a.maxIterations',
    ],
    ['no number at all', withAgent('"maxIterations": NaN'), 'wrong-type 2:83 agents.a.maxIterations'],
    ['an empty name of a module', withAgent('"module": ""'), 'out-of-range 2:76 agents.a.module'],
    ['a module that is no path', withAgent('"module": 3'), 'wrong-type 2:76 agents.a.module'],
    [
      'a capacity of 0',
      withAgent('"mailbox": {"capacity": 0}'),
      'out-of-range 2:90 agents.a.mailbox.capacity',
    ],
    [
      'a limit of bytes below the one that warns',
      withAgent('"mailbox": {"warnBytes": 20, "maxBytes": 10}'),
      'out-of-range 2:107 agents.a.mailbox.maxBytes',
    ],
    [
      'a warning above the limit of bytes',
      withAgent('"mailbox": {"warnBytes": 2000000}'),
      'out-of-range 2:91 agents.a.mailbox.warnBytes',
    ],
    [
      'a way to overflow that there is not',
      withAgent('"mailbox": {"overflow": "drop"}'),
      'unknown-value 2:90 agents.a.mailbox.overflow',
    ],
    [
      'shared memory that is neither',
      withAgent('"mirror": "all"', ',\n"threads": {"p": {"sharedMemory": "yes"}}'),
      'wrong-type 3:35 threads.p.sharedMemory',
    ],
    [
      'a time span that no timer can wait',
      withAgent('"mirror": "all"', ',\n"threads": {"p": {"idleTimeoutMs": 2147483648}}'),
      'out-of-range 3:36 threads.p.idleTimeoutMs',
    ],
    [
      'a backoff that shrinks',
      withAgent('"supervision": {"backoff": {"minMs": 20000}}'),
      'out-of-range 2:103 agents.a.supervision.backoff.minMs',
    ],
    [
      'half an intensity',
      withAgent('"supervision": {"intensity": {"restarts": 3}}'),
      'missing-key 2:82 agents.a.supervision.intensity.withinMs',
    ],
    [
      'missing keys',
      '{"agents":\n {"a": {}}}',
      'missing-key 2:3 agents.a.type',
      'missing-key 2:3 agents.a.threadId',
      'missing-key 2:3 agents.a.maxThreads',
    ],
    ['no agents', '\n {}', 'missing-key 2:2 agents'],
    ['an array', '[]', 'wrong-type 1:1 '],
    ['a text', '"config"', 'wrong-type 1:1 '],
    ['a null config', 'null', 'wrong-type 1:1 '],
    ['agents as an array', '{"agents": []}', 'wrong-type 1:12 agents'],
    [
      'an agent without a name',
      withAgent('').replace('"a"', '""').replace(', }', '}'),
      'empty-name 2:1 agents.',
      'module-not-found 2:1 agents..module',
    ],
    [
      'a pool that no agent uses',
      withAgent('"mirror": "all"', ',\n"threads": {"q": {}}'),
      'unknown-pool 3:13 threads.q',
    ],
    [
      'more minThreads than maxThreads',
      withAgent('"mirror": "all"', ',\n"threads": {"p": {"minThreads": 3}}'),
      'min-over-max-threads 3:33 threads.p.minThreads',
    ],
    [
      'a wrong unit of env',
      withAgent('"mirror": "all"', ',\n"threads": {"p": {"env": {"A": 1}}}'),
      'wrong-type 3:32 threads.p.env.A',
    ],
    [
      'a wrong resource limit',
      withAgent('"mirror": "all"', ',\n"threads": {"p": {"resourceLimits": {"stackSizeMb": 0, "heap": 1}}}'),
      'out-of-range 3:53 threads.p.resourceLimits.stackSizeMb',
      'unknown-key 3:56 threads.p.resourceLimits.heap',
    ],
    [
      'a provider nobody knows',
      '{"agents": {},\n"externalSecrets": {"provider": "vault"}}',
      'unknown-provider 2:33 externalSecrets.provider',
    ],
    [
      'a provider without a name',
      '{"agents": {},\n"externalSecrets": {}}',
      'missing-key 2:1 externalSecrets.provider',
    ],
    [
      'two providers named default',
      '{"agents": {},\n"externalSecrets": {"provider": "env"},\n"secrets": {"providers": {"default": {"provider": "env"}}}}',
      'duplicate-provider 3:27 secrets.providers.default',
    ],
    [
      'a negative cacheTTL',
      '{"agents": {},\n"externalSecrets": {"provider": "env", "cacheTTL": -1}}',
      'out-of-range 2:52 externalSecrets.cacheTTL',
    ],
    [
      'a grant without a provider',
      withAgent('"secrets": {"k": {"ref": "x", "mode": "capability", "capabilities": []}}'),
      'unknown-provider 2:91 agents.a.secrets.k.ref',
    ],
    [
      'a grant of an unknown alias',
      withAgent(
        '"secrets": {"k": {"ref": {"provider": "v", "id": "x"}, "mode": "capability", "capabilities": []}}',
      ),
      'unknown-provider 2:104 agents.a.secrets.k.ref.provider',
    ],
    [
      'a grant of a mode that there is not',
      withAgent(
        '"secrets": {"k": {"ref": "x", "mode": "lend", "unsafe": true}}',
        ', "externalSecrets": {"provider": "env"}',
      ),
      'unknown-value 2:104 agents.a.secrets.k.mode',
    ],
    [
      'a reference without a name',
      withAgent(
        '"secrets": {"k": {"ref": "#x", "mode": "capability", "capabilities": []}}',
        ', "externalSecrets": {"provider": "env"}',
      ),
      'invalid-format 2:91 agents.a.secrets.k.ref',
    ],
    [
      'a reference object with problems',
      withAgent(
        '"secrets": {"k": {"ref": {"id": 1, "key": 2}, "mode": "capability", "capabilities": [3]}}',
        ', "externalSecrets": {"provider": "env"}',
      ),
      'wrong-type 2:98 agents.a.secrets.k.ref.id',
      'unknown-key 2:101 agents.a.secrets.k.ref.key',
      'wrong-type 2:151 agents.a.secrets.k.capabilities.0',
    ],
    ['a duplicate key', '{"agents": {},\n "agents": {}}', 'duplicate-key 2:2 agents'],
    [
      'a key written three times',
      '{a: 1, a: 2,\na: 3, agents: {}}',
      'unknown-key 1:2 a',
      'duplicate-key 1:8 a',
      'duplicate-key 2:1 a',
    ],
    ['a way to a prototype', '{"agents": {},\n "__proto__": {"x": 1}}', 'forbidden-key 2:2 __proto__'],
    [
      'one that is escaped',
      '{"agents": {"\\u005f_proto__": {}, "constructor": {}}}',
      'forbidden-key 1:13 agents.__proto__',
      'forbidden-key 1:35 agents.constructor',
    ],
    [
      'one in the options of a provider',
      '{"agents": {},\n"externalSecrets": {"provider": "env", "deep": [{"prototype": 1}]}}',
      'unknown-key 2:40 externalSecrets.deep',
      'forbidden-key 2:50 externalSecrets.deep.0.prototype',
    ],
  ];

  test.each(cases)('%s', async (_what, text, ...expected) => {
    const error = await errorOfText(text);
    expect(error.problems.map(inShort)).toEqual(expected);
  });

  test('a pool whose agent has no valid threadId is not called unknown', async () => {
    const error = await errorOfText(
      '{"agents": {"a": {"type": "thread-bound", "threadID": "p", "maxThreads": 1}}, "threads": {"p": {}}}',
    );
    expect(error.problems.map(({ code }) => code)).toEqual(['missing-key', 'unknown-key']);
  });

  test('a __proto__ of a config object is refused and reaches no prototype', async () => {
    const config: object = JSON.parse(
      '{"agents": {"__proto__": {"polluted": 1}, "constructor": {}}, "x": {"constructor": 1}}',
    );
    const error = await errorOf(config);
    expect(error.problems.map(({ code, path }) => `${code} ${path.join('.')}`).toSorted()).toEqual([
      'forbidden-key agents.__proto__',
      'forbidden-key agents.constructor',
      'forbidden-key x.constructor',
      'unknown-key x',
    ]);
    expect({}).not.toHaveProperty('polluted');
  });

  test('a config object may contain itself', async () => {
    const config: Record<string, unknown> = { agents: {} };
    config['self'] = config;
    expect((await errorOf(config)).problems).toMatchObject([{ code: 'unknown-key' }]);
  });

  test('custom providers are known', async () => {
    const text = '{"agents": {}, "externalSecrets": {"provider": "vualt"}}';
    const error = await errorOfText(text, { customProviders: ['vault'] });
    expect(error.message).toContain(
      'known are "aws-secrets-manager", "env", "file", "exec", "vault"; did you mean "vault"?',
    );
  });
});

describe('the advice', () => {
  const advice: [written: string, message: string][] = [
    ['"restrat": 1', 'unknown key "restrat"; did you mean "supervision.restart"?'],
    ['"max_iterations": 1', 'unknown key "max_iterations"; did you mean "maxIterations"?'],
    ['"capacity": 1', 'unknown key "capacity"; did you mean "mailbox.capacity"?'],
    ['"idleTimeoutMs": 1', 'unknown key "idleTimeoutMs"; did you mean "threads.p.idleTimeoutMs"?'],
    ['"overflow": "reject"', 'unknown key "overflow"; did you mean "mailbox.overflow"?'],
    ['"sharedmemory": true', 'unknown key "sharedmemory"; did you mean "threads.p.sharedMemory"?'],
    ['"mailbox": {"maxByte": 1}', 'unknown key "maxByte"; did you mean "maxBytes"?'],
    ['"mailbox": {"maxBytes": 10}', 'warnBytes 65536 is more than maxBytes 10'],
    [
      '"mailbox": {"overflow": "drop-oldset"}',
      'expected one of "reject", "drop-oldest", "drop-newest", got "drop-oldset"; did you mean "drop-oldest"?',
    ],
    ['"mailbox": {"capacty": 1}', 'unknown key "capacty"; did you mean "capacity"?'],
    ['"supervision": {"backoff": {"min": 1}}', 'unknown key "min"; did you mean "minMs"?'],
    ['"gateway": {}', 'unknown key "gateway"'],
    ['"mirror": "lates"', 'expected one of "latest", "all", got "lates"; did you mean "latest"?'],
    ['"mirror": 5', 'expected one of "latest", "all", got 5'],
    [
      '"placement": "exclusiv"',
      'expected one of "fewest", "exclusive", got "exclusiv"; did you mean "exclusive"?',
    ],
    ['"placement": 7', 'expected one of "fewest", "exclusive" or an object, got 7'],
    ['"placement": {"key": false}', 'expected true, got a boolean'],
    ['"maxIterations": -Infinity', 'expected an integer >= 1, got -Infinity'],
    ['"maxIterations": {"a": [1, "x"], "pin": {}}', 'expected an integer >= 1, got {"a":[1,"x"],"pin":{}}'],
    ['"module": 7', 'expected a non-empty string or a URL, got 7'],
    ['"supervision": {"backoff": {"jitter": 2}}', 'expected a number from 0 to 1, got 2'],
  ];

  test.each(advice)('for %s', async (written, message) => {
    const error = await errorOfText(withAgent(written));
    expect(error.problems.map((problem) => problem.message)).toEqual([message]);
  });

  test('finds the pool that was meant', async () => {
    const error = await errorOfText(withAgent('"mirror": "all"', ', "threads": {"P-": {}}'));
    expect(error.problems.map(({ message }) => message)).toEqual([
      'no agent has the threadId "P-"; did you mean "p"?',
    ]);
  });

  test('finds the alias that was meant', async () => {
    const error = await errorOf({
      secrets: { providers: { vault: { provider: 'env' } } },
      agents: {
        a: {
          ...bound,
          module: new URL('./fixtures/agents/trading-agent.ts', import.meta.url),
          secrets: { k: { ref: { provider: 'vualt', id: 'x' }, mode: 'capability', capabilities: [] } },
        },
      },
    });
    expect(error.message).toContain('declare it in secrets.providers; did you mean "vault"?');
  });
});
