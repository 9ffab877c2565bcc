import { expect, test } from 'vitest';
import { isCredentialName, judge } from './credentials.ts';

test.each([
  'apiKey',
  'api_key',
  'API-KEY',
  'OPENAI_API_KEY',
  'token',
  'botToken',
  'authToken',
  'access_token',
  'password',
  'dbPassword',
  'passwd',
  'client_secret',
  'clientSecret',
  'secret',
  'SECRET',
  'privateKey',
  'signing-key',
  'credentials',
  'webhookUrl',
  'pass',
  'SMTP_PASS',
  'db_pass',
  'imapPass',
  'apiKeys',
  'GEMINI_API_KEY_1',
  'accessToken2',
  'STRIPE_KEY',
  'encryptKey',
  'encodingAESKey',
  'masterKey',
  'AccountKey',
  'X-Api-Key',
  'Proxy-Authorization',
  'client-key-data',
  'pin',
  'mnemonic',
])('%s names a credential', (name) => {
  expect(isCredentialName(name)).toBe(true);
});

test.each([
  'maxTokens',
  'tokenFile',
  'tokenLimit',
  'secretId',
  'secretRef',
  'passwordFile',
  'keyboard',
  'monkey',
  'publicKey',
  'key',
  'provider',
  'threadId',
  'ref',
  'tokenizer',
  'region',
  'compass',
  'bypass',
  'contextTokens',
  'nextPageToken',
  'sessionKey',
  'primaryKey',
  'imagePullSecret',
])('%s names none', (name) => {
  expect(isCredentialName(name)).toBe(false);
});

test.each([
  ['a value', 'apiKey', 'q8Zt-Lw2vX', false],
  ['a URL with a password', 'url', 'postgres://desk:h7Kq2@db/desk', false],
  ['a placeholder', 'apiKey', 'changeme', true],
  ['an example key of AWS', 'accessKey', 'AKIAIOSFODNN7EXAMPLE', true],
  ['a URL with a placeholder', 'url', 'postgres://desk:<password>@db/desk', true],
  ['a URL with what documentation writes', 'url', 'postgres://user:password@db/desk', true],
  ['a URL with a password and no user', 'url', 'redis://:h7Kq2@cache:6379', false],
  ['a URL with a token', 'dsn', 'https://0f1e2d3c4b5a69788796a5b4@errors.example/42', false],
  ['a word for a password', 'password', 'hunter', false],
  ['four digits for a password', 'password', '8273', false],
  ['a word for a secret', 'JWT_SECRET', 'hushhush', false],
  ['a token of letters', 'token', 'deadbeefdeadbeef', false],
  ['what a header has', 'Authorization', 'Basic ZGVzazpoN0txMg==', false],
  ['a password that starts like a variable', 'password', '$ecret99', false],
  ['a cookie', 'cookie', 'sid=9f8e7d6c5b4a; path=/', false],
  ['what is behind a default', 'apiKey', '${KEY:-q8Zt2Lw7vX4nB1mK}', false],
  ['a key that starts like a path', 'secretKey', '/q8Zt2Lw7vX4nB1mK+q8Zt2Lw7vX4nB1mK', false],
  ['a random text under a name that says little', 'key', 'q8Zt2Lw7vX4nB1mK', false],
])('%s is found', (_what, name, value, isPlaceholder) => {
  expect(judge({ name, value })).toMatchObject({ isPlaceholder });
});

test.each([
  ['a variable', 'apiKey', '${OPENAI_API_KEY}'],
  ['a variable without braces', 'apiKey', '$OPENAI_API_KEY'],
  ['the name of a variable', 'apiKey', 'OPENAI_API_KEY'],
  ['a path', 'token', '/run/secrets/token'],
  ['a reference', 'password', 'op://vault/item/password'],
  ['an ARN', 'secret', 'arn:aws:secretsmanager:eu-west-1:1:secret:x'],
  ['a switch', 'password', 'required'],
  ['a number', 'token', '4096'],
  ['nothing', 'password', ' '],
  ['a URL without a password', 'url', 'https://api.example/v1'],
  ['a URL with a variable', 'url', 'postgres://desk:${DB_PASSWORD}@db/desk'],
  ['what has another name', 'region', 'q8Zt-Lw2vX'],
  ['a default that is a word', 'apiKey', '${OPENAI_API_KEY:-none}'],
  ['a command', 'password', '$(cat /run/secrets/db)'],
  ['a variable of a pipeline', 'token', '${{ secrets.DEPLOY_TOKEN }}'],
  ['a member of a program', 'apiKey', 'process.env.OPENAI_API_KEY2'],
  ['what a local server takes for a key', 'apiKey', 'ollama-local'],
  ['the same of another', 'apiKey', 'lmstudio'],
  ['the name of a login', 'apiKey', 'codex-app-server'],
  ['a mark of OpenClaw', 'apiKey', 'secretref-managed'],
  ['a mark with a variable', 'token', 'secretref-env:OPENAI_API_KEY'],
  ['the name of an OAuth login', 'apiKey', 'minimax-oauth'],
  ['a mark of a cloud', 'credentials', 'gcp-vertex-credentials'],
  ['an option of fetch', 'credentials', 'same-origin'],
  ['a type of Kubernetes', 'secret', 'kubernetes.io/tls'],
  ['not applicable', 'token', 'n/a'],
  ['what a test writes', 'token', 'test-token'],
  ['what a test writes for a key', 'apiKey', 'fake-api-key'],
  ['a header with a variable', 'Authorization', 'Bearer ${TOKEN}'],
  ['a text around variables', 'password', '${DB_USER}:${DB_PASSWORD}'],
  ['what is encrypted', 'password', 'ENC[AES256_GCM,data:q8Zt2Lw7vX4n,type:str]'],
  ['the public half of a key', 'sshKey', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5q8Zt2Lw7'],
  ['a model under a name that says little', 'key', 'anthropic/claude-sonnet-4-20250514'],
  ['an address under a name that says little', 'key', 'agent:main:telegram:123456789012'],
  ['a UUID under a name that says little', 'key', '6f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0'],
])('%s is not', (_what, name, value) => {
  expect(judge({ name, value })).toBeUndefined();
});

test('a number is one where it is long enough, and counts nothing', () => {
  const isOne = (name: string, value: string) => judge({ name, value, isNumber: true }) !== undefined;
  expect([isOne('password', '8827361940'), isOne('pin', '492817'), isOne('secret', '88273619')]).toEqual([
    true,
    true,
    true,
  ]);
  expect([isOne('pass', '1024'), isOne('token', '4096'), isOne('tokens', '1048576')]).toEqual([
    false,
    false,
    false,
  ]);
});

test('what stands below the name of many is one when it is random', () => {
  const below = (container: string, value: string) => judge({ name: 'openai', value, container });
  expect(below('apiKeys', 'q8Zt2Lw7vX4nB1mK')).toMatchObject({ isPlaceholder: false });
  expect(below('apiKeys', 'as-in-the-vault')).toBeUndefined();
  expect(below('models', 'q8Zt2Lw7vX4nB1mK')).toBeUndefined();
  const told = { name: 'sha256', value: '9f8e7d6c5b4a32109f8e7d6c5b4a3210', container: 'tokens' };
  expect(judge(told)).toBeUndefined();
});
