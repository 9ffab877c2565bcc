import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startSecretsManagerEmulator, type SecretsManagerEmulator } from './secrets-manager-emulator.ts';
import type { SecretsManagerEventEnvelope } from './secrets-manager-events.ts';
import type { EmulatedQueue } from './sqs-queue.ts';

let emulator: SecretsManagerEmulator;
let queue: EmulatedQueue;
let client: SQSClient;
let time = Date.now();

const clientFor = (credentials = emulator.credentials): SQSClient =>
  new SQSClient({ region: emulator.region, endpoint: emulator.url, credentials, maxAttempts: 1 });

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator({ now: () => time });
});
beforeEach(() => {
  emulator.reset();
  queue = emulator.createQueue('rotations');
  client = clientFor();
});
afterEach(() => client.destroy());
afterAll(() => emulator.stop());

const receive = async (options: object = {}) =>
  (await client.send(new ReceiveMessageCommand({ QueueUrl: queue.url, MaxNumberOfMessages: 10, ...options })))
    .Messages ?? [];
const received = async (): Promise<SecretsManagerEventEnvelope[]> =>
  (await receive()).map(({ Body: body = '' }) => JSON.parse(body) as SecretsManagerEventEnvelope);
const labels = { 'detail-type': ['Secret Label Updated'] };

describe('messages', () => {
  test('what is sent is received, with the digest that the SDK checks, and gone once it is deleted', async () => {
    await client.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'grüße' }));
    const [message] = await receive();
    expect(message?.Body).toBe('grüße');
    expect([queue.waiting, queue.inFlight]).toEqual([0, 1]);
    await client.send(
      new DeleteMessageCommand({ QueueUrl: queue.url, ReceiptHandle: message?.ReceiptHandle }),
    );
    queue.returnInFlight();
    expect(await receive()).toEqual([]);
  });

  test('what is not deleted comes again when its visibility time out is over', async () => {
    queue.send('once');
    expect(await receive({ VisibilityTimeout: 30 })).toHaveLength(1);
    time += 29_999;
    expect(await receive()).toEqual([]);
    time += 1;
    expect(await receive()).toHaveLength(1);
  });

  test('a receipt of an earlier receive deletes nothing', async () => {
    queue.send('twice');
    const [first] = await receive();
    queue.returnInFlight();
    const [second] = await receive();
    const remove = (...receipts: (string | undefined)[]) =>
      client.send(
        new DeleteMessageBatchCommand({
          QueueUrl: queue.url,
          Entries: receipts.map((ReceiptHandle, at) => ({ Id: String(at), ReceiptHandle })),
        }),
      );
    await remove(first?.ReceiptHandle);
    expect(queue.inFlight).toBe(1);
    expect((await remove(second?.ReceiptHandle)).Successful).toEqual([{ Id: '0' }]);
    expect(queue.inFlight).toBe(0);
  });

  test('a long poll ends as soon as something comes', { timeout: 60_000 }, async () => {
    const waiting = receive({ WaitTimeSeconds: 20 });
    await vi.waitFor(() => expect(emulator.calls['ReceiveMessage']).toBe(1));
    queue.send('now');
    expect(await waiting).toMatchObject([{ Body: 'now' }]);
  });

  test('who hung up while it waited takes no message along', async () => {
    const leaving = new AbortController();
    const left = client
      .send(new ReceiveMessageCommand({ QueueUrl: queue.url, WaitTimeSeconds: 20 }), {
        abortSignal: leaving.signal,
      })
      .catch((error: unknown) => error);
    await vi.waitFor(() => expect(emulator.calls['ReceiveMessage']).toBe(1));
    leaving.abort();
    expect(await left).toBeInstanceOf(Error);
    await vi.waitFor(() => expect(emulator.requests).toHaveLength(1));
    queue.send('stays');
    expect(await receive()).toMatchObject([{ Body: 'stays' }]);
  });

  test('an unknown queue, and one that the caller may not read, are refused as the service does it', async () => {
    const lost = new ReceiveMessageCommand({ QueueUrl: `${queue.url}-none` });
    await expect(client.send(lost)).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
    const stranger = clientFor(
      emulator.createUser({ Statement: { Effect: 'Allow', Action: 'sqs:GetQueueUrl', Resource: queue.arn } }),
    );
    expect(await stranger.send(new GetQueueUrlCommand({ QueueName: 'rotations' }))).toMatchObject({
      QueueUrl: queue.url,
    });
    await expect(stranger.send(new ReceiveMessageCommand({ QueueUrl: queue.url }))).rejects.toMatchObject({
      name: expect.stringMatching(/^AccessDenied/),
    });
    stranger.destroy();
  });
});

describe('events', () => {
  test('a label that moves is told in the envelope of EventBridge', async () => {
    queue = emulator.createQueue('labels', labels);
    const first = emulator.put('prod/key', 'CANARY-one');
    const [event] = await received();
    expect(event).toEqual({
      version: '0',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      'detail-type': 'Secret Label Updated',
      source: 'aws.secretsmanager',
      account: '000000000000',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      region: 'ap-east-1',
      resources: [expect.stringMatching(/^arn:aws:secretsmanager:ap-east-1:0{12}:secret:prod\/key-\w{6}$/)],
      detail: { name: 'prod/key', labelUpdated: 'AWSCURRENT', versionId: first },
    });
  });

  test('AWSPENDING and AWSPREVIOUS are not told of; going back is', async () => {
    const first = emulator.put('prod/key', 'CANARY-one');
    queue = emulator.createQueue('labels', labels);
    const second = emulator.rotate('prod/key');
    emulator.rollBack('prod/key');
    expect((await received()).map(({ detail }) => detail)).toEqual([
      { name: 'prod/key', labelUpdated: 'AWSCURRENT', versionId: second },
      { name: 'prod/key', labelUpdated: 'AWSCURRENT', versionId: first },
    ]);
  });

  test('a rotation leaves the events of CloudTrail as well, and none has a value', async () => {
    emulator.put('prod/key', 'CANARY-one');
    queue = emulator.createQueue('all');
    emulator.rotate('prod/key', 'CANARY-two');
    const events = await received();
    expect(events.map(({ detail }) => detail['eventName'] ?? detail['labelUpdated'])).toEqual([
      'RotationStarted',
      'PutSecretValue',
      'AWSCURRENT',
      'UpdateSecretVersionStage',
      'RotationSucceeded',
    ]);
    const secrets = new SecretsManagerClient({
      region: emulator.region,
      endpoint: emulator.url,
      credentials: emulator.credentials,
    });
    await secrets.send(new PutSecretValueCommand({ SecretId: 'prod/key', SecretString: 'CANARY-three' }));
    secrets.destroy();
    const [label, call] = await received();
    expect(label?.detail).toMatchObject({ labelUpdated: 'AWSCURRENT' });
    expect(call?.detail).toMatchObject({
      eventName: 'PutSecretValue',
      requestParameters: { secretId: 'prod/key' },
      responseElements: { aRN: expect.stringContaining(':secret:prod/key-') },
    });
    expect(JSON.stringify([events, label, call])).not.toContain('CANARY');
  });

  test('events that are held come late, twice, turned around or never', async () => {
    emulator.put('prod/key', 'CANARY-one');
    queue = emulator.createQueue('labels', labels);
    const held = queue.hold();
    const versions = [emulator.rotate('prod/key'), emulator.rotate('prod/key'), emulator.rotate('prod/key')];
    expect(queue.waiting).toBe(0);
    held.release(([one, , three]) => (one && three ? [three, one, one] : []));
    expect((await received()).map(({ detail }) => detail['versionId'])).toEqual([
      versions[2],
      versions[0],
      versions[0],
    ]);
    emulator.rotate('prod/key');
    expect(queue.waiting).toBe(1);
  });

  test('a rule lets through what its pattern says', () => {
    const rule = { source: ['aws.secretsmanager'], detail: { name: [{ prefix: 'prod/' }] } };
    queue = emulator.createQueue('some', rule);
    emulator.put('test/key', 'x');
    expect(queue.waiting).toBe(0);
    emulator.put('prod/key', 'x');
    expect(queue.waiting).toBe(1);
    expect(() => emulator.createQueue('odd', { $or: {} })).toThrow('$or');
    expect(() => emulator.createQueue('odd', { a: [{ suffix: 'x' } as never] })).toThrow('suffix');
  });
});
