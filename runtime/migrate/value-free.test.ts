import { expect, test } from 'vitest';
import { auditFiles } from '../secrets-audit/audit.ts';
import { tokens } from './fixtures/old-configs.ts';
import { credentialsIn } from './plain-credentials.ts';
import { searchFor } from './search.ts';
import { reference, valueFree } from './value-free.ts';

const key = tokens.github;
const password = 'correct-horse-71-battery';

const old = `{
  // The old key was ${key}, keep it for a week.
  agents: { main: { name: 'Main', model: "some/model" } }, /* and a
  second comment */
  channels: { chat: { token: '${password}', "allow": ["a", 'b'] } },
  notes: 'call with ${password} in the header',
  header: "Authorization: Bearer ${password}${password}",
  models: { openai: { apiKey: "\${OPENAI_API_KEY}" } }, // a reference stays
}
`;

const audit = (text: string) =>
  auditFiles({ files: [{ file: 'openclaw.json', text, isResidue: false }], unread: [] });

async function withoutCredentials(text: string, refOf: (path: string) => string): Promise<string> {
  const found = (await credentialsIn(text)) ?? [];
  const { text: free } = await valueFree(text, {
    credentials: found.map(({ span, path }) => ({ ...span, text: reference(refOf(path)) })),
    search: searchFor(found.map(({ value }) => value)),
  });
  return free;
}

test('a credential is found by its name, and what refers to one is none', async () => {
  expect((await credentialsIn(old))?.map(({ path, value }) => [path, value])).toEqual([
    ['channels.chat.token', password],
  ]);
});

test('the text has no credential any more, wherever it stood, and the rest is as it was', async () => {
  expect((await audit(old)).summary.plaintextCount).toBeGreaterThan(2);
  const text = await withoutCredentials(old, (path) => `kept:${path}`);
  expect(text).toBe(`{
  // removed: it held a credential
  agents: { main: { name: 'Main', model: "some/model" } }, /* and a
  second comment */
  channels: { chat: { token: { ref: "kept:channels.chat.token" }, "allow": ["a", 'b'] } },
  notes: 'call with [removed: a credential] in the header',
  header: "Authorization: Bearer [removed: a credential]",
  models: { openai: { apiKey: "\${OPENAI_API_KEY}" } }, // a reference stays
}
`);
  expect((await audit(text)).status).toBe('clean');
});

test('a text without credentials stays as it is', async () => {
  const text = `{ agents: { main: { type: 'thread-bound' } } } // fine\n`;
  expect(await withoutCredentials(text, () => 'never')).toBe(text);
});

test('credentials come in the order of the text, also under names that are numbers', async () => {
  const text = `{ bots: { '10': { token: '${password}' }, '2': { token: '${key}' } } }`;
  expect((await credentialsIn(text))?.map(({ path }) => path)).toEqual([
    'bots["10"].token',
    'bots["2"].token',
  ]);
  expect(await withoutCredentials(text, (path) => (path.includes('10') ? 'first' : 'second'))).toBe(
    `{ bots: { '10': { token: { ref: "first" } }, '2': { token: { ref: "second" } } } }`,
  );
});

test('a text with a key twice is not read, since one of the two would stay', async () => {
  expect(await credentialsIn(`{ bot: { token: '${password}', token: '${key}' } }`)).toBeUndefined();
});

test('of several tokens on a line each is cut out, and keys that are tokens too', async () => {
  const [a, b] = [tokens.github, tokens.github2];
  const text = `{"id":"main","urls":["https://h.example/${a}/x","https://h.example/${b}/y"],"${a}":1,"n":[1,2]}`;
  expect(await withoutCredentials(text, () => 'never')).toBe(
    `{"id":"main","urls":["https://h.example/[removed: a credential]/x","https://h.example/[removed: a credential]/y"],"removed: it held a credential":1,"n":[1,2]}`,
  );
});

test('of a comment of many lines, those stay that hold nothing', async () => {
  const text = `{ /* one\n  * ${key}\n  * two */ a: 1, // token = 'zt-5Kq8Lw2vXp'\n b: 2 }`;
  expect(await withoutCredentials(text, () => 'never')).toBe(
    `{ /* one\n  * removed: it held a credential\n  * two */ a: 1, // removed: it held a credential\n b: 2 }`,
  );
});
