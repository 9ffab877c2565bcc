import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from './emulator/secrets-manager-emulator.ts';
import type { EmulatedCredentials } from './emulator/iam-access.ts';
import type { EmulatedQueue } from './emulator/sqs-queue.ts';
import { classifyAwsError } from './aws-failures.ts';
import { regionOf, watchRotationQueue, type RotationQueueWorld } from './aws-rotation-queue.ts';
import { awsSecretsManagerOptionProblems, createAwsSecretsManagerProvider } from './aws-secrets-manager.ts';
import type { ProviderError, RotationHint } from './provider.ts';

let emulator: SecretsManagerEmulator;
let queue: EmulatedQueue;
let stopping: AbortController;
let watching: Promise<void> | undefined;
let hints: RotationHint[];
let troubles: ProviderError[];
let pauses: number[];

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
});
beforeEach(() => {
  emulator.reset();
  queue = emulator.createQueue('rotations', { 'detail-type': ['Secret Label Updated'] });
  stopping = new AbortController();
  [hints, troubles, pauses] = [[], [], []];
});
afterEach(async () => {
  stopping.abort();
  await watching;
  watching = undefined;
});
afterAll(() => emulator.stop());

/** Pauses are noted and not waited for, but never so many that a loop could run away. */
const quick: RotationQueueWorld = {
  load: () => import('@aws-sdk/client-sqs'),
  now: () => performance.now(),
  random: () => 1,
  pause: async (ms, signal) => {
    pauses.push(ms);
    if (pauses.length < 12) return;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  },
};

function watch(
  world: Partial<RotationQueueWorld> = {},
  credentials: EmulatedCredentials | (() => Promise<EmulatedCredentials>) = emulator.credentials,
  queueUrl = queue.url,
): Promise<void> {
  watching = watchRotationQueue(
    {
      queueUrl,
      region: emulator.region,
      connectTimeoutMs: 1_000,
      requestTimeoutMs: 3_000,
      maxSockets: 16,
      credentials,
      classify: classifyAwsError,
    },
    (hint) => hints.push(hint),
    stopping.signal,
    (trouble) => troubles.push(trouble),
    { ...quick, ...world },
  );
  return watching;
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 });
const receives = (): number => emulator.calls['ReceiveMessage'] ?? 0;

describe('hints', () => {
  test('a rotation is told within the long poll that waits for it, and its message deleted', async () => {
    emulator.put('prod/key', 'CANARY-one');
    void watch();
    await until(() => expect(hints).toHaveLength(1));
    const versionId = emulator.rotate('prod/key', 'CANARY-two');
    await until(() => expect(hints).toHaveLength(2));
    expect(hints[1]).toMatchObject({ id: 'prod/key', versionId, stage: 'AWSCURRENT' });
    await until(() => expect([queue.waiting, queue.inFlight]).toEqual([0, 0]));
    expect(pauses).toEqual([]);
    expect(troubles).toEqual([]);
  });

  test("duplicates, disorder and other secrets come through as they are: dedup is not the watch's business", async () => {
    emulator.put('prod/key', 'one');
    const held = queue.hold();
    const versions = [emulator.rotate('prod/key'), emulator.rotate('prod/key')];
    held.release(([one, two]) => (one && two ? [two, one, two] : []));
    queue.send(
      emulator.events.labelUpdated(
        { name: 'else', arn: `arn:aws:secretsmanager:x-y-1:${'1'.repeat(12)}:secret:else-123456` },
        'AWSCURRENT',
        'v1',
      ),
    );
    void watch();
    await until(() => expect(hints).toHaveLength(5));
    expect(hints.slice(1).map(({ versionId }) => versionId)).toEqual([
      versions[1],
      versions[0],
      versions[1],
      'v1',
    ]);
  });

  test('more than one receive can carry are all told', async () => {
    emulator.put('prod/key', 'one');
    for (let n = 0; n < 24; n += 1) emulator.rotate('prod/key');
    void watch();
    await until(() => expect(hints).toHaveLength(25));
    await until(() => expect([queue.waiting, queue.inFlight]).toEqual([0, 0]));
  });
});

describe('the end', () => {
  test('an abort ends it in the middle of a long poll', { timeout: 10_000 }, async () => {
    const watching = watch();
    await until(() => expect(receives()).toBe(1));
    stopping.abort();
    await watching;
    // The poll that was cut off did not take what comes afterwards.
    await until(() => expect(emulator.requests).toHaveLength(1));
    emulator.put('prod/key', 'one');
    expect(queue.waiting).toBe(1);
  });

  test('an abort ends a pause', { timeout: 10_000 }, async () => {
    const fault = emulator.fail('ReceiveMessage', { error: 'InternalError', status: 500, times: Infinity });
    const { promise: paused, resolve } = Promise.withResolvers<void>();
    const watching = watch({
      pause: (_, signal) => {
        resolve();
        return new Promise((end) => signal.addEventListener('abort', () => end()));
      },
    });
    await paused;
    stopping.abort();
    await watching;
    expect(fault.fired).toBe(1);
  });

  test('with an abort before the start nothing is called', async () => {
    stopping.abort();
    await watch();
    expect(emulator.calls).toEqual({});
  });
});

describe('trouble', () => {
  test('a queue that fails is tried again after 1 s, then twice as long each time up to 60 s, and well again', async () => {
    const fault = emulator.fail('ReceiveMessage', { error: 'InternalError', status: 500, times: 8 });
    void watch();
    emulator.put('prod/key', 'one');
    await until(() => expect(hints).toHaveLength(1));
    expect(fault.fired).toBe(8);
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1_000));
    emulator.fail('ReceiveMessage', { reset: true });
    emulator.rotate('prod/key');
    // The poll in hand brings it; the one after is cut, and counts from the beginning again.
    await until(() => expect(pauses).toHaveLength(9));
    expect(pauses[8]).toBe(1_000);
  });

  test('a queue that fails slowly is given the same pauses', async () => {
    let time = 0;
    emulator.fail('ReceiveMessage', { error: 'InternalError', status: 500, times: 3 });
    void watch({ now: () => (time += 30_000) });
    await until(() => expect(pauses).toEqual([1_000, 2_000, 4_000]));
  });

  test('pauses are between half and all of that', async () => {
    const chances = [0, 0.5, 0.999];
    emulator.fail('ReceiveMessage', { error: 'InternalError', status: 500, times: 3 });
    void watch({ random: () => chances.shift() ?? 0 });
    await until(() => expect(pauses).toHaveLength(3));
    expect(pauses).toEqual([500, 1_500, 3_998]);
  });

  test('what passes by itself is told of when it lasts, once, and again after it has been well', async () => {
    emulator.fail('ReceiveMessage', { reset: true, times: 2 });
    void watch();
    emulator.put('prod/key', 'one');
    await until(() => expect(hints).toHaveLength(1));
    const blips = emulator.fail('ReceiveMessage', { reset: true, times: 2 });
    emulator.rotate('prod/key');
    await until(() => expect(blips.fired).toBe(2));
    emulator.rotate('prod/key');
    await until(() => expect(hints).toHaveLength(3));
    expect(troubles).toEqual([]);
    const fault = emulator.fail('ReceiveMessage', { error: 'InternalError', status: 500, times: 5 });
    emulator.rotate('prod/key');
    await until(() => expect(fault.fired).toBe(5));
    emulator.rotate('prod/key');
    await until(() => expect(hints).toHaveLength(5));
    expect(troubles.map(({ failure }) => failure)).toEqual(['transient']);
    expect(troubles[0]?.message).toContain('noticed by polling only');
    const again = emulator.fail('ReceiveMessage', { error: 'InternalError', status: 500, times: 3 });
    emulator.rotate('prod/key');
    await until(() => expect(again.fired).toBe(3));
    await until(() => expect(troubles).toHaveLength(2));
  });

  test('a host that may not read the queue is told what it needs, once, and goes on trying', async () => {
    const nobody = emulator.createUser({ Statement: { Effect: 'Allow', Action: 's3:*', Resource: '*' } });
    void watch({}, nobody);
    await until(() => expect(pauses.length).toBeGreaterThan(5));
    expect(troubles.map(({ failure, message }) => [failure, message])).toEqual([
      ['denied', expect.stringMatching(/AccessDenied.*sqs:ReceiveMessage and sqs:DeleteMessage/)],
    ]);
  });

  test('a host that may not delete still tells, at the pace of the visibility time out', async () => {
    emulator.put('prod/key', 'one');
    const reader = emulator.createUser({
      Statement: { Effect: 'Allow', Action: 'sqs:ReceiveMessage', Resource: queue.arn },
    });
    void watch({}, reader);
    await until(() => expect(troubles).toMatchObject([{ failure: 'denied' }]));
    await until(() => expect(receives()).toBe(2));
    expect([hints.length, queue.inFlight, pauses]).toEqual([1, 1, []]);
  });

  test('a queue that does not exist is named', async () => {
    void watch({}, emulator.credentials, `${queue.url}-gone`);
    await until(() => expect(troubles).toHaveLength(1));
    expect(troubles[0]).toMatchObject({
      failure: 'not-found',
      message: expect.stringContaining('rotationQueueUrl'),
    });
  });

  test('expired credentials are renewed', async () => {
    const credentials = vi.fn<() => Promise<EmulatedCredentials>>(async () => emulator.credentials);
    const fault = emulator.fail('ReceiveMessage', { error: 'ExpiredTokenException', times: 1 });
    void watch({}, credentials);
    emulator.put('prod/key', 'one');
    await until(() => expect(hints).toHaveLength(1));
    expect([fault.fired, credentials.mock.calls.length]).toEqual([1, 2]);
  });

  test('what is not from Secrets Manager stays in the queue, is told of once, and does not make it spin', async () => {
    queue.send('not even JSON');
    queue.send({ source: 'my.shop', detail: { order: 7 } });
    void watch();
    await until(() => expect(receives()).toBe(2));
    queue.returnInFlight();
    await until(() => expect(pauses).toHaveLength(2));
    emulator.put('prod/key', 'one');
    await until(() => expect(hints).toHaveLength(1));
    await until(() => expect(queue.inFlight + queue.waiting).toBe(2));
    expect(troubles.map(({ message }) => message)).toEqual([expect.stringContaining('a queue of its own')]);
    expect(pauses).toEqual([1_000, 2_000]);
  });

  test('an event of Secrets Manager in an unknown form is deleted and told of once', async () => {
    for (let n = 0; n < 3; n += 1)
      queue.send({ source: 'aws.secretsmanager', 'detail-type': 'Secret Label Updated', detail: { n } });
    void watch();
    await until(() => expect(emulator.calls['DeleteMessageBatch']).toBe(1));
    await until(() => expect([queue.waiting, queue.inFlight]).toEqual([0, 0]));
    expect([hints, troubles.length]).toEqual([[], 1]);
  });

  test('a service that answers at once with nothing is asked once a second, not in a loop', async () => {
    // What some stand-ins for SQS do with WaitTimeSeconds.
    const sdk = await import('@aws-sdk/client-sqs');
    const destroy = vi.fn<() => void>();
    class Empty extends sdk.SQSClient {
      override send = async () => ({}) as never;
      override destroy = destroy;
    }
    void watch({ load: async () => ({ ...sdk, SQSClient: Empty }) });
    await until(() => expect(pauses).toHaveLength(12));
    expect(new Set(pauses)).toEqual(new Set([1_000]));
    stopping.abort();
    await watching;
    expect(destroy).toHaveBeenCalledOnce();
  });

  test('without the package the watch ends and says how to install it', async () => {
    const load = () => Promise.reject(Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' }));
    const failing = watch({ load });
    watching = undefined;
    await expect(failing).rejects.toMatchObject({
      name: 'ProviderError',
      failure: 'invalid',
      message: expect.stringContaining('npm install @aws-sdk/client-sqs'),
    });
  });
});

describe('the provider', () => {
  const make = (options: object) =>
    createAwsSecretsManagerProvider(
      { region: emulator.region, endpoint: emulator.url, ...options },
      { credentials: emulator.credentials },
    );

  test('pushes only with a queue', async () => {
    expect(make({})).not.toHaveProperty('watch');
    expect(make({}).capabilities.push).toBeUndefined();
    const provider = make({ rotationQueueUrl: queue.url });
    expect(provider.capabilities.push).toBe(true);
    watching = provider.watch?.((hint) => hints.push(hint), stopping.signal);
    const versionId = emulator.put('prod/key', 'one');
    await until(() => expect(hints).toMatchObject([{ id: 'prod/key', versionId }]));
  });

  test.each(['https://sqs.ap-east-1.amazonaws.com/111122223333/rotations', 'http://127.0.0.1:1/0/q'])(
    'takes %s',
    (rotationQueueUrl) => {
      expect(awsSecretsManagerOptionProblems({ rotationQueueUrl })).toEqual([]);
    },
  );

  test.each(['rotations', 'https://sqs.ap-east-1.amazonaws.com/rotations', 'arn:aws:sqs:x:1:q', 7])(
    'refuses %s',
    (rotationQueueUrl) => {
      expect(awsSecretsManagerOptionProblems({ rotationQueueUrl })).toEqual([
        expect.stringContaining('the URL of an SQS queue'),
      ]);
    },
  );
});

test.each([
  ['sqs.ap-east-1.amazonaws.com', 'ap-east-1'],
  ['sqs-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
  ['eu-west-1.queue.amazonaws.com', 'eu-west-1'],
  ['vpce-0a1-b2.sqs.us-east-1.vpce.amazonaws.com', 'us-east-1'],
  ['sqs.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
  ['queue.amazonaws.com', undefined],
  ['127.0.0.1', undefined],
])('the region of %s is %s', (hostname, region) => {
  expect(regionOf(hostname)).toBe(region);
});
