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
])('%s names none', (name) => {
  expect(isCredentialName(name)).toBe(false);
});

test.each([
  ['a value', 'apiKey', 'q8Zt-Lw2vX', false],
  ['a URL with a password', 'url', 'postgres://desk:h7Kq2@db/desk', false],
  ['a placeholder', 'apiKey', 'changeme', true],
  ['an example key of AWS', 'accessKey', 'AKIAIOSFODNN7EXAMPLE', true],
  ['a URL with a placeholder', 'url', 'postgres://desk:<password>@db/desk', true],
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
])('%s is not', (_what, name, value) => {
  expect(judge({ name, value })).toBeUndefined();
});
