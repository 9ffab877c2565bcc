import { expect, test } from 'vitest';
import { auditFiles } from '../secrets-audit/audit.ts';
import { credentialsIn, valueFree } from './value-free.ts';

const key = ['ghp', 'x7Kq2mVb9LwZ4RtY8NcH3JdF6PsA1GeU5oQi'].join('_');
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

test('a credential is found by its name, and what refers to one is none', () => {
  expect(credentialsIn(old)?.map(({ path, value }) => [path, value])).toEqual([
    ['channels.chat.token', password],
  ]);
});

test('the text has no credential any more, wherever it stood, and the rest is as it was', async () => {
  expect((await audit(old)).summary.plaintextCount).toBeGreaterThan(2);
  const text = await valueFree(old, credentialsIn(old) ?? [], ({ path }) => `kept:${path}`);
  expect(text).toBe(`{
  // removed: it held a credential
  agents: { main: { name: 'Main', model: "some/model" } }, /* and a
  second comment */
  channels: { chat: { token: { ref: "kept:channels.chat.token" }, "allow": ["a", 'b'] } },
  notes: "removed: it held a credential",
  header: "removed: it held a credential",
  models: { openai: { apiKey: "\${OPENAI_API_KEY}" } }, // a reference stays
}
`);
  expect((await audit(text)).status).toBe('clean');
});

test('a text without credentials stays as it is', async () => {
  const text = `{ agents: { main: { type: 'thread-bound' } } } // fine\n`;
  expect(await valueFree(text, [], () => 'never')).toBe(text);
});

test('credentials come in the order of the text, also under names that are numbers', async () => {
  const text = `{ bots: { '10': { token: '${password}' }, '2': { token: '${key}' } } }`;
  const credentials = credentialsIn(text) ?? [];
  expect(credentials.map(({ path }) => path)).toEqual(['bots["10"].token', 'bots["2"].token']);
  expect(await valueFree(text, credentials, ({ value }) => (value === key ? 'second' : 'first'))).toBe(
    `{ bots: { '10': { token: { ref: "first" } }, '2': { token: { ref: "second" } } } }`,
  );
});

test('a text with a key twice is not read, since one of the two would stay', () => {
  expect(credentialsIn(`{ bot: { token: '${password}', token: '${key}' } }`)).toBeUndefined();
});
