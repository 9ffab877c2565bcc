import { expect, test } from 'vitest';
import { type CredentialKind, findCredentials } from './credentials.ts';

const cases: readonly (readonly [string, CredentialKind | null])[] = [
  ['aws_access_key_id = AKIAIOSFODNN7EXAMPLE', 'aws-access-key-id'],
  ['aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'aws-secret-access-key'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----', 'private-key'],
  ['-----BEGIN PRIVATE KEY-----', 'private-key'],
  ['-----BEGIN PUBLIC KEY-----', null],
  ['url: postgres://user:made-up@db.invalid/x', 'url-with-password'],
  ['url: postgres://user:${DB_PASSWORD}@db.invalid/x', null],
  ['url: https://quotes.invalid:8443/v1', null],
  ['Authorization: Bearer made-up-token-0123', 'bearer-token'],
  ['Authorization: Bearer ${TOKEN}', null],
  ['"apiKey": "made-up-model-key"', 'api-key'],
  ['"apiKey": { "source": "aws", "id": "desk" }', null],
  ['API_KEY=$DESK_API_KEY', null],
  ['password: made-up', 'password'],
  ['PASSWORD="{{ vault.password }}"', null],
  ['password: <ask the desk>', null],
  ['Passwords and api keys are rotated every quarter.', null],
  ['', null],
];

test.each(cases)('%s', (line, kind) => {
  expect(findCredentials('f', line).map((finding) => finding.kind)).toEqual(kind ? [kind] : []);
});

test('a finding has the file, the line from 1 and the kind, and nothing of the value', () => {
  const findings = findCredentials('a.env', 'A=1\r\nPASSWORD=made-up-value\r\n');
  expect(findings).toEqual([{ file: 'a.env', line: 2, kind: 'password' }]);
  expect(JSON.stringify(findings)).not.toContain('made-up');
});

test('a line with two credentials is one finding, of the more particular kind', () => {
  const line = 'password=made-up AKIAIOSFODNN7EXAMPLE';
  expect(findCredentials('f', line).map((finding) => finding.kind)).toEqual(['aws-access-key-id']);
});
