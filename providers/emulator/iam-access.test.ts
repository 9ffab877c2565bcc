import {
  BatchGetSecretValueCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/nested-clients/sts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { EmulatedCredentials, IamPolicy, IamStatement } from './iam-access.ts';
import { startSecretsManagerEmulator, type SecretsManagerEmulator } from './secrets-manager-emulator.ts';

let emulator: SecretsManagerEmulator;
let open: { destroy(): void }[] = [];

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
});
beforeEach(() => {
  emulator.reset();
  emulator.put('prod/key', 'CANARY-prod');
  emulator.put('test/key', 'CANARY-test');
});
afterEach(() => {
  for (const client of open) client.destroy();
  open = [];
});
afterAll(() => emulator.stop());

function clientFor(credentials: EmulatedCredentials): SecretsManagerClient {
  const client = new SecretsManagerClient({
    region: emulator.region,
    endpoint: emulator.url,
    credentials,
    maxAttempts: 1,
  });
  open.push(client);
  return client;
}

/** With the client that the SDK's own credential chain assumes roles with. */
function sts(credentials: EmulatedCredentials = emulator.credentials): STSClient {
  const client = new STSClient({
    region: emulator.region,
    endpoint: emulator.url,
    credentials,
    maxAttempts: 1,
  });
  open.push(client);
  return client;
}

const allow = (Action: string | string[], Resource: string | string[] = '*'): IamStatement => ({
  Effect: 'Allow',
  Action,
  Resource,
});
const prod = 'arn:aws:secretsmanager:*:*:secret:prod/*';
const get = (SecretId: string) => new GetSecretValueCommand({ SecretId });
const denied = { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } };

async function assume(arn: string, from?: EmulatedCredentials): Promise<EmulatedCredentials> {
  const { Credentials: found } = await sts(from).send(
    new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'agent' }),
  );
  return {
    accessKeyId: found?.AccessKeyId ?? '',
    secretAccessKey: found?.SecretAccessKey ?? '',
    sessionToken: found?.SessionToken ?? '',
  };
}

test('a user may do what its policy allows, to the secrets it names, and nothing else', async () => {
  const user = clientFor(emulator.createUser({ Statement: allow('secretsmanager:GetSecretValue', prod) }));
  expect((await user.send(get('prod/key'))).SecretString).toBe('CANARY-prod');
  await expect(user.send(get('test/key'))).rejects.toMatchObject(denied);
  await expect(user.send(new DescribeSecretCommand({ SecretId: 'prod/key' }))).rejects.toMatchObject(denied);
  await expect(user.send(new ListSecretsCommand({}))).rejects.toMatchObject(denied);
  await expect(
    user.send(new PutSecretValueCommand({ SecretId: 'prod/key', SecretString: 'x' })),
  ).rejects.toMatchObject(denied);
});

test('who may not read a secret does not learn whether it exists', async () => {
  const user = clientFor(emulator.createUser({ Statement: allow('secretsmanager:GetSecretValue', prod) }));
  await expect(user.send(get('test/none'))).rejects.toMatchObject(denied);
  await expect(user.send(get('prod/none'))).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

test('a denial wins over what is allowed', async () => {
  const policy: IamPolicy = {
    Version: '2012-10-17',
    Statement: [allow('secretsmanager:*'), { Effect: 'Deny', Action: '*', Resource: prod }],
  };
  const user = clientFor(emulator.createUser(policy));
  expect((await user.send(get('test/key'))).SecretString).toBe('CANARY-test');
  await expect(user.send(get('prod/key'))).rejects.toMatchObject(denied);
});

test('a batch is a right of its own, and then judged secret by secret', async () => {
  const batch = new BatchGetSecretValueCommand({ SecretIdList: ['prod/key', 'test/key'] });
  const read = allow('secretsmanager:GetSecretValue', prod);
  await expect(clientFor(emulator.createUser({ Statement: read })).send(batch)).rejects.toMatchObject(denied);
  const both = emulator.createUser({ Statement: [read, allow('secretsmanager:BatchGetSecretValue')] });
  const { SecretValues: values, Errors: errors } = await clientFor(both).send(batch);
  expect(values?.map(({ Name }) => Name)).toEqual(['prod/key']);
  expect(errors).toMatchObject([{ SecretId: 'test/key', ErrorCode: 'AccessDeniedException' }]);
});

test.each([
  [{ NotAction: 's3:*' }, 'NotAction'],
  [{ Condition: { IpAddress: {} } }, 'IpAddress'],
])('a policy with %j is refused instead of half understood', (extra, named) => {
  const statement = { ...allow('*'), ...extra } as IamStatement;
  expect(() => emulator.createUser({ Statement: statement })).toThrow(named);
});

test('a role is assumed over STS and has the rights of the role', async () => {
  const role = emulator.createRole('reader', { Statement: allow('secretsmanager:GetSecretValue', prod) });
  const credentials = await assume(role);
  expect((await clientFor(credentials).send(get('prod/key'))).SecretString).toBe('CANARY-prod');
  await expect(clientFor(credentials).send(get('test/key'))).rejects.toMatchObject(denied);
  expect(emulator.calls).toMatchObject({ AssumeRole: 1, GetSecretValue: 2 });
});

test('only who is allowed to assumes a role, and only one that exists', async () => {
  const role = emulator.createRole('reader', { Statement: allow('*') });
  const stranger = emulator.createUser({ Statement: allow('sts:AssumeRole', `${role}-other`) });
  const refused = { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } };
  await expect(assume(role, stranger)).rejects.toMatchObject(refused);
  await expect(assume(`${role}-none`)).rejects.toMatchObject(refused);
  const friend = emulator.createUser({ Statement: allow('sts:AssumeRole', role) });
  expect((await assume(role, friend)).sessionToken).not.toBe('');
});

test("a role's credentials expire, and need their token", async () => {
  const role = emulator.createRole('reader', { Statement: allow('*') });
  const credentials = await assume(role);
  emulator.expireSessions();
  await expect(clientFor(credentials).send(get('prod/key'))).rejects.toMatchObject({
    name: 'ExpiredTokenException',
  });
  await expect(assume(role, credentials)).rejects.toMatchObject({ name: 'ExpiredToken' });
  const { sessionToken: _, ...without } = await assume(role);
  await expect(clientFor(without).send(get('prod/key'))).rejects.toMatchObject({
    name: 'UnrecognizedClientException',
  });
  expect((await clientFor(await assume(role)).send(get('prod/key'))).SecretString).toBe('CANARY-prod');
});

test('another policy of a role holds for the sessions it has', async () => {
  const role = emulator.createRole('reader', { Statement: allow('*') });
  const client = clientFor(await assume(role));
  await client.send(get('prod/key'));
  emulator.createRole('reader', { Statement: allow('secretsmanager:DescribeSecret') });
  await expect(client.send(get('prod/key'))).rejects.toMatchObject(denied);
});
