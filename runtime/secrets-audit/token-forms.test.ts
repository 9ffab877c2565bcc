import { expect, test } from 'vitest';
import { knownTokens } from './known-tokens.ts';
import { listPattern, namedPattern, pairPattern } from './named-texts.ts';
import { tokenForms } from './token-forms.ts';

/** Letters and digits that nobody uses, of any length. */
const made = (length: number, of = 'q8Zt2Lw7vX4nB1mKd5Yc9Rf3'): string =>
  of.repeat(Math.ceil(length / of.length)).slice(0, length);
const hex = (length: number): string => made(length, '9f8e7d6c5b4a3210');

/** Each in pieces, so that no text of ours has the form of a credential. */
const examples: Readonly<Record<string, readonly string[]>> = {
  'private key': [`-----BEGIN EC PRIVATE`, ` KEY-----\n${made(64)}\n-----END EC PRIVATE KEY-----`],
  'bearer token': ['Bearer ', made(24)],
  authorization: [
    'Authorization: Basic ',
    Buffer.from(`desk:${made(9)}`)
      .toString('base64')
      .replace(/=+$/, ''),
  ],
  curl: ['curl -s -u desk:', made(9), ' https://api.example'],
  sql: ["ALTER USER desk PASSWORD '", made(9), "'"],
  'URL with a password': ['redis://:', made(8), '@cache:6379'],
  'URL with a token': ['https://', made(24), '@host.example/1'],
  netrc: ['machine git.example login desk password ', made(9)],
  jwt: ['eyJ', made(20), '.eyJ', made(40), '.', made(43)],
  telegram: ['https://api.telegram.org/bot', '7712345678:AA', made(33), '/getMe'],
  'discord webhook': ['discord.com/api/', 'webhooks/112233445566778899/', made(68)],
  discord: ['M', made(23), '.', made(6), '.', made(38)],
  'teams webhook': ['https://desk.webhook.', `office.com/webhookb2/${hex(36)}`],
  'wecom webhook': ['qyapi.weixin.qq.com/cgi-bin/webhook/send?key=', hex(36)],
  'feishu webhook': ['open.feishu.cn/open-apis/bot/v2/hook/', hex(36)],
  'dingtalk webhook': ['oapi.dingtalk.com/robot/send?access_token=', hex(64)],
  'google api key': ['AI', 'za', made(35)],
  'google oauth': ['ya', '29.', made(60)],
  xai: ['xa', 'i-', made(80)],
  openrouter: ['sk-', 'or-v1-', hex(64)],
  openai: ['sk-', 'proj-', made(48)],
  anthropic: ['sk-', 'ant-api03-', made(60)],
  'model provider': ['s', 'k-', hex(32)],
  perplexity: ['pp', 'lx-', made(48)],
  'hugging face': ['h', 'f_', made(34)],
  groq: ['gs', 'k_', made(40)],
  cerebras: ['cs', 'k-', made(48)],
  nvidia: ['nv', 'api-', made(64)],
  replicate: ['r', '8_', made(37)],
  fireworks: ['f', 'w_', made(24)],
  together: ['tgp', '_v1_', made(43)],
  langsmith: ['lsv2', '_pt_', hex(32), '_', hex(10)],
  tavily: ['tv', 'ly-', made(32)],
  firecrawl: ['f', 'c-', hex(32)],
  'brave search': ['BS', 'A', made(28)],
  jina: ['ji', 'na_', made(60)],
  pinecone: ['pc', 'sk_', made(60)],
  stripe: ['sk', '_live_', made(24)],
  'stripe webhook': ['wh', 'sec_', made(32)],
  digitalocean: ['dop', '_v1_', hex(64)],
  github: ['gh', 'p_', made(60)],
  gitlab: ['gl', 'dt-', made(20)],
  slack: ['xo', 'xe-', `1-${made(40)}`],
  tailscale: ['ts', 'key-auth-', made(24)],
  npm: ['np', 'm_', made(36)],
  pypi: ['pypi', '-AgEI', made(80)],
  vault: ['h', 'vs.', made(24)],
  doppler: ['dp.', 'st.desk.', made(40)],
  supabase: ['sb', 'p_', hex(40)],
  linear: ['lin', '_oauth_', made(40)],
  notion: ['nt', 'n_', made(46)],
  atlassian: ['AT', 'ATT3', made(60)],
  sentry: ['snt', 'ryu_', hex(64)],
  sendgrid: ['S', 'G.', made(22), '.', made(43)],
  mailgun: ['ke', 'y-', hex(32)],
  age: ['AGE-SECRET', '-KEY-1', made(58, 'QPZRY9X8GF2TVDW0S3JN')],
  mapbox: ['sk', '.eyJ', made(60), '.', made(22)],
  'new relic': ['NR', 'AK-', made(27, 'Q8ZT2LW7VX4N')],
  postman: ['PM', 'AK-', hex(24), '-', hex(34)],
  elevenlabs: ['s', 'k_', hex(48)],
};

test('each form has an example', () => {
  expect(Object.keys(examples).toSorted()).toEqual(
    [...new Set(tokenForms.map(({ service }) => service))].toSorted(),
  );
});

test.each(Object.entries(examples))('a text with that of %s has it, and where', async (service, parts) => {
  const token = parts.join('');
  const text = `two lines,\nand ${token} in the second`;
  const form = tokenForms.find((one) => one.service === service && text.match(one.pattern) !== null);
  expect(form).toBeDefined();
  const [found, ...more] = await knownTokens(text);
  expect(more).toEqual([]);
  expect(found).toMatchObject({ line: 2, isPlaceholder: false });
  expect(token).toContain(text.slice(found?.start, found?.end));
  expect(text.slice(found?.start, found?.end).length).toBeGreaterThanOrEqual(8);
});

test('several in a line are told one by one, each in its place', async () => {
  const [one, two] = [examples['stripe']?.join('') ?? '', examples['telegram']?.slice(1, 3).join('') ?? ''];
  const text = `{"a":"${one}","b":"${two}"}`;
  expect((await knownTokens(text)).map(({ start, end }) => text.slice(start, end))).toEqual([one, two]);
});

test('what is to be filled in is no token, and what stands for one is told as that', async () => {
  expect(await knownTokens('postgres://desk:${DB_PASSWORD}@db amqp://a:%s@b Bearer $TOKEN')).toEqual([]);
  expect(await knownTokens('skeleton: sk-loading-indicator-container')).toEqual([]);
  expect(await knownTokens('redis://user:password@cache')).toMatchObject([{ isPlaceholder: true }]);
});

test('a comment for another program hides nothing', async () => {
  const token = ['gh', 'p_', made(36)].join('');
  expect(await knownTokens(`// secretlint-disable\n${token}`)).toHaveLength(1);
});

test.each([
  ['names', namedPattern] as const,
  ['lists', listPattern] as const,
  ['pairs', pairPattern] as const,
  ...tokenForms.map(({ service, pattern }) => [service, pattern] as const),
])('the pattern of %s takes time by the length of a text alone', (_name, { source }) => {
  // Its parts without what is in brackets and behind a backslash.
  const parts = source.replaceAll(/\\./g, 'e').replaceAll(/\[[^\]]*\]/g, 'c');
  // Nothing is repeated without an end, and what is long is not repeated as a whole.
  expect(parts.replaceAll(/\(\?(?:<\w+>|<?[!=]|:)/g, '(')).not.toMatch(/[*+]|\{\d+,\}/);
  expect(parts).not.toMatch(/\{\d*,?\d{3,}\}[^()]*\)\{\d/);
  // It starts at few places: at an edge of a word, or with letters of its own.
  expect(source).toMatch(/^(?:\(\?<!|\\b|-----BEGIN|https:|qyapi|open|oapi)/);
});
