import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  SecretsManagerClient,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSecretsManagerEmulator, type SecretsManagerEmulator } from './secrets-manager-emulator.ts';

let emulator: SecretsManagerEmulator;
let client: SecretsManagerClient;
let time = Date.now();

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator({ now: () => time });
  client = new SecretsManagerClient({
    region: emulator.region,
    endpoint: emulator.url,
    credentials: emulator.credentials,
    maxAttempts: 1,
  });
});
beforeEach(() => emulator.reset());
afterAll(async () => {
  client.destroy();
  await emulator.stop();
});

const read = async (VersionStage = 'AWSCURRENT', SecretId = 'db') =>
  (await client.send(new GetSecretValueCommand({ SecretId, VersionStage }))).SecretString;
const refusal = (SecretId = 'db'): Promise<string> =>
  client.send(new GetSecretValueCommand({ SecretId })).then(
    () => 'none',
    (error: Error) => error.name,
  );
const stages = async () =>
  (await client.send(new DescribeSecretCommand({ SecretId: 'db' }))).VersionIdsToStages;

describe('a rotation step by step', () => {
  test('one can stand between the new password of the database and AWSCURRENT', async () => {
    const first = emulator.put('db', 'CANARY-old');
    const database = { password: 'CANARY-old' };
    const rotation = emulator.beginRotation('db', 'CANARY-new');
    rotation.createSecret();
    expect(await stages()).toEqual({ [first]: ['AWSCURRENT'], [rotation.versionId]: ['AWSPENDING'] });
    rotation.setSecret((value) => (database.password = value.toString()));
    expect([database.password, await read()]).toEqual(['CANARY-new', 'CANARY-old']);
    rotation.testSecret((value) => value.toString() === database.password);
    rotation.finishSecret();
    expect(await read()).toBe('CANARY-new');
    expect(await stages()).toEqual({ [first]: ['AWSPREVIOUS'], [rotation.versionId]: ['AWSCURRENT'] });
  });

  test('the steps have an order, and each is taken once', () => {
    emulator.put('db', 'x');
    const rotation = emulator.beginRotation('db');
    expect(() => rotation.finishSecret()).toThrow('next step of the rotation is createSecret');
    rotation.createSecret();
    expect(() => rotation.createSecret()).toThrow('next step of the rotation is setSecret');
  });

  test('a rotation that fails leaves AWSCURRENT, tells so, and goes no further', async () => {
    const first = emulator.put('db', 'CANARY-old');
    const queue = emulator.createQueue('failures', { detail: { eventName: ['RotationFailed'] } });
    const rotation = emulator.beginRotation('db');
    rotation.createSecret();
    rotation.setSecret();
    rotation.testSecret(() => false);
    expect(queue.waiting).toBe(1);
    expect(() => rotation.finishSecret()).toThrow('next step of the rotation is none');
    expect(await stages()).toMatchObject({ [first]: ['AWSCURRENT'] });
  });

  test('a roll back moves AWSCURRENT to the version before, or to one that is named', async () => {
    const first = emulator.put('db', 'one');
    const second = emulator.rotate('db', 'two');
    emulator.rotate('db', 'three');
    expect(emulator.rollBack('db')).toBe(second);
    expect([await read(), await read('AWSPREVIOUS')]).toEqual(['two', 'three']);
    emulator.rollBack('db', first);
    expect([await read(), await read('AWSPREVIOUS')]).toEqual(['one', 'two']);
  });
});

describe('what can be wrong with a secret', () => {
  test('a deleted secret is refused until it is restored', async () => {
    emulator.put('db', 'one');
    emulator.delete('db');
    expect(await refusal()).toBe('InvalidRequestException');
    emulator.restore('db');
    expect(await refusal()).toBe('none');
  });

  test('reading takes a right to the key, and a key that works', async () => {
    const kmsKey = 'arn:aws:kms:ap-east-1:000000000000:key/1';
    emulator.put('db', 'one', { kmsKey });
    expect(await refusal()).toBe('none');
    emulator.disableKey(kmsKey);
    expect(await refusal()).toBe('DecryptionFailure');
    emulator.enableKey(kmsKey);
    const reader = (via: string) =>
      new SecretsManagerClient({
        region: emulator.region,
        endpoint: emulator.url,
        credentials: emulator.createUser({
          Statement: [
            { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: '*' },
            {
              Effect: 'Allow',
              Action: 'kms:Decrypt',
              Resource: kmsKey,
              Condition: { StringEquals: { 'kms:ViaService': via } },
            },
          ],
        }),
        maxAttempts: 1,
      });
    const [right, wrong] = [reader('secretsmanager.ap-east-1.amazonaws.com'), reader('s3.amazonaws.com')];
    const get = new GetSecretValueCommand({ SecretId: 'db' });
    expect((await right.send(get)).SecretString).toBe('one');
    await expect(wrong.send(get)).rejects.toMatchObject({ name: 'AccessDeniedException' });
    right.destroy();
    wrong.destroy();
  });

  test('a fault can be for one secret, last until it is cleared, and tells how often it fired', async () => {
    emulator.put('db', 'one');
    emulator.put('other', 'two');
    const fault = emulator.fail('GetSecretValue', {
      error: 'InternalServiceError',
      secret: 'db',
      times: Infinity,
    });
    expect([await refusal(), await refusal('other'), await refusal()]).toEqual([
      'InternalServiceError',
      'none',
      'InternalServiceError',
    ]);
    expect(fault.fired).toBe(2);
    fault.clear();
    expect(await refusal()).toBe('none');
    expect(fault.fired).toBe(2);
  });
});

describe('quotas', () => {
  test('calls above the quota are throttled until time has passed; the groups count apart', async () => {
    emulator.put('db', 'one');
    emulator.limit({ read: 2, write: 50 });
    expect([await refusal(), await refusal(), await refusal()]).toEqual([
      'none',
      'none',
      'ThrottlingException',
    ]);
    await expect(stages()).rejects.toMatchObject({ name: 'ThrottlingException' });
    await client.send(new UpdateSecretCommand({ SecretId: 'db', Description: 'still' }));
    time += 500;
    expect([await refusal(), await refusal()]).toEqual(['none', 'ThrottlingException']);
    time += 60_000;
    expect([await refusal(), await refusal(), await refusal()]).toEqual([
      'none',
      'none',
      'ThrottlingException',
    ]);
  });
});

test('UpdateSecret makes a version only with a value, and ListSecretVersionIds has those with labels', async () => {
  const first = emulator.put('db', 'one');
  await client.send(new UpdateSecretCommand({ SecretId: 'db', Description: 'told' }));
  const { VersionId: second = '' } = await client.send(
    new UpdateSecretCommand({ SecretId: 'db', SecretString: 'two' }),
  );
  emulator.rotate('db', 'three');
  const list = async (IncludeDeprecated: boolean) =>
    (await client.send(new ListSecretVersionIdsCommand({ SecretId: 'db', IncludeDeprecated }))).Versions?.map(
      ({ VersionId }) => VersionId,
    );
  expect(await list(false)).toEqual([second, expect.any(String)]);
  expect(await list(true)).toEqual([first, second, expect.any(String)]);
});

test('the requests are on record with what they asked for and how it ended, but no value', async () => {
  emulator.put('db', 'CANARY-one');
  await read('AWSCURRENT');
  await refusal('none');
  await client.send(new UpdateSecretCommand({ SecretId: 'db', SecretString: 'CANARY-two' }));
  const caller = 'arn:aws:iam::000000000000:root';
  expect(emulator.requests).toEqual([
    { operation: 'GetSecretValue', secret: 'db', stage: 'AWSCURRENT', caller, outcome: 'ok' },
    { operation: 'GetSecretValue', secret: 'none', caller, outcome: 'ResourceNotFoundException' },
    { operation: 'UpdateSecret', secret: 'db', caller, outcome: 'ok' },
  ]);
});
