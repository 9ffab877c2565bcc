import { expect, test } from 'vitest';
import { errorOf, errorOfText } from './fixtures/config-folder.ts';

const withInstances = (instances: string, more = ''): string =>
  `{ agents: {\na: { type: "thread-bound", threadId: "p", maxThreads: 2, ${more}\ninstances: ${instances} } } }`;

test.each([
  [
    'twice the same id',
    '["a",\n{ id: "a" }]',
    'duplicate-instance 4 agents.a.instances.1.id: the id "a" is listed twice',
  ],
  ['an id without a character', '[""]', 'out-of-range 3 agents.a.instances.0: expected a non-empty string'],
  ['a number', '[1]', 'wrong-type 3 agents.a.instances.0: expected a non-empty string or an object, got 1'],
  [
    'an address',
    '["a/x"]',
    'invalid-format 3 agents.a.instances.0: an id does not include its agent: write "x"',
  ],
  [
    'the address of nothing',
    '["a/"]',
    'invalid-format 3 agents.a.instances.0: an id does not include its agent',
  ],
  [
    'a step in a path',
    '[{ id: ".." }]',
    'invalid-format 3 agents.a.instances.0.id: the id ".." is a step in a path',
  ],
  [
    'half a character',
    '["\\uD800"]',
    'invalid-format 3 agents.a.instances.0: an id cannot hold half a character',
  ],
  ['no id', '[{ input: 1 }]', 'missing-key 3 agents.a.instances.0.id: missing key "id"'],
  [
    'a key too many',
    '[{ id: "a", inputs: 1 }]',
    'unknown-key 3 agents.a.instances.0.inputs: unknown key "inputs"',
  ],
  ['no list', '"a"', 'wrong-type 3 agents.a.instances: expected an array'],
])('instances with %s are told with their line', async (_what, instances, expected) => {
  const { problems } = await errorOfText(withInstances(instances));
  const told = problems.map(
    ({ code, line, path, message }) => `${code} ${line} ${path.join('.')}: ${message}`,
  );
  expect(told).toEqual([expect.stringContaining(expected)]);
});

test('more instances with threads for themselves than the pool has threads are told', async () => {
  const exclusive = 'placement: "exclusive",';
  const { problems } = await errorOfText(withInstances('["a", "b", "c"]', exclusive));
  expect(problems).toMatchObject([
    {
      code: 'too-many-instances',
      line: 3,
      message:
        'the pool "p" would need 3 threads: 3 of its instances have one for themselves (placement "exclusive") and ' +
        'maxThreads is 2; raise it, or list fewer',
    },
  ]);
});

test('all agents of a pool count, and those that share a thread need one', async () => {
  const bound = { type: 'thread-bound', threadId: 'p', maxThreads: 2 } as const;
  const agents = {
    one: { ...bound, placement: 'exclusive', instances: ['a'] },
    two: { ...bound, placement: 'exclusive', instances: ['a'] },
    others: { ...bound, instances: Array.from({ length: 100 }, (_, n) => String(n)) },
  };
  const { problems } = await errorOf({ agents });
  const rooms = problems.filter(({ code }) => code !== 'module-not-found');
  expect(rooms).toMatchObject([{ code: 'too-many-instances', path: ['agents', 'two', 'instances'] }]);
  expect(rooms[0]?.message).toContain('would need 3 threads');
  const { problems: none } = await errorOf({ agents: { one: agents.one, others: agents.others } });
  expect(none.filter(({ code }) => code !== 'module-not-found')).toEqual([]);
});
