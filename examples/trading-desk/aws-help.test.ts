import { expect, test } from 'vitest';
import { awsHelp } from './aws-help.ts';

const named = (name: string): Error => Object.assign(new Error('made-up-value-in-a-message'), { name });

test.each([
  ['CredentialsProviderError', 'AWS_PROFILE'],
  ['UnrecognizedClientException', 'aws sts get-caller-identity'],
  ['ExpiredTokenException', 'Renew'],
  ['AccessDeniedException', 'secretsmanager:PutSecretValue'],
  ['TimeoutError', 'ap-east-1'],
  ['InvalidRequestException', '--secret'],
])('%s says what to do: %s', (name, advice) => {
  const help = awsHelp(named(name), 'desk/key', 'ap-east-1');
  expect(help).toContain(advice);
  expect(help).not.toContain('made-up-value');
});

test('an error that is not of the service has no help', () => {
  expect(awsHelp(named('TypeError'), 'desk/key', 'ap-east-1')).toBeUndefined();
  expect(awsHelp('text', 'desk/key', 'ap-east-1')).toBeUndefined();
});
