import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSecretsManagerEvents } from './emulator/secrets-manager-events.ts';
import { readQueueMessage } from './aws-rotation-events.ts';

const events = createSecretsManagerEvents('ap-east-1', () => Date.UTC(2026, 0, 2, 3, 4, 5, 678));
const arn = 'arn:aws:secretsmanager:ap-east-1:000000000000:secret:prod/key-AbCd12';
const secret = { name: 'prod/key', arn };
const partial = arn.slice(0, -7);
const version = '0f0f0f0f-1111-4222-8333-444444444444';
const read = (event: unknown) => readQueueMessage(JSON.stringify(event));
const none = { kind: 'event', hints: [] };

describe('hints', () => {
  test('a label that moved is a hint for every name of the secret', () => {
    expect(read(events.labelUpdated(secret, 'AWSCURRENT', version))).toEqual({
      kind: 'event',
      hints: [
        {
          id: 'prod/key',
          aliases: [arn, partial],
          versionId: version,
          stage: 'AWSCURRENT',
          source: 'Secret Label Updated',
        },
      ],
    });
  });

  test.each([
    ['PutSecretValue', { secretId: 'prod/key' }, [{ stage: 'AWSCURRENT', versionId: version }]],
    [
      'PutSecretValue',
      { secretId: 'prod/key', versionStages: ['AWSPENDING', 'X'] },
      [{ stage: 'AWSPENDING' }, { stage: 'X' }],
    ],
    [
      'UpdateSecretVersionStage',
      { secretId: arn, versionStage: 'AWSCURRENT', moveToVersionId: 'other' },
      [{ stage: 'AWSCURRENT', versionId: 'other' }],
    ],
    ['UpdateSecret', { secretId: partial }, [{ stage: 'AWSCURRENT', versionId: version }]],
    ['DeleteSecret', { secretId: 'prod/key' }, [{ source: 'DeleteSecret' }]],
  ])('%s with %j is one, whatever the spelling of the ARN', (name, request, hints) => {
    const message = read(events.apiCall(name, secret, request, version));
    expect(message).toMatchObject({ kind: 'event', hints });
    for (const hint of message.kind === 'event' ? message.hints : [])
      expect([hint.id, ...(hint.aliases ?? [])]).toEqual(expect.arrayContaining(['prod/key', arn, partial]));
  });

  test('a rotation that succeeded is one, by its ARN alone; one that started or failed is none', () => {
    const message = read(events.rotation('RotationSucceeded', secret, version));
    expect(message).toMatchObject({
      kind: 'event',
      hints: [{ id: 'prod/key', source: 'RotationSucceeded' }],
    });
    expect(message.kind === 'event' && message.hints[0]?.aliases).toEqual(['prod/key-AbCd12', arn, partial]);
    expect(read(events.rotation('RotationStarted', secret, version))).toEqual(none);
    expect(read(events.rotation('RotationFailed', secret, version))).toEqual(none);
  });

  test('the ARN may also stand in the details of the service event', () => {
    const { additionalEventData: _, ...detail } = events.rotation(
      'RotationSucceeded',
      secret,
      version,
    ).detail;
    const event = {
      source: 'aws.secretsmanager',
      'detail-type': 'AWS Service Event via CloudTrail',
      detail: { ...detail, serviceEventDetails: { secretId: arn } },
    };
    expect(read(event)).toMatchObject({ kind: 'event', hints: [{ id: 'prod/key' }] });
  });

  test('a call that was refused, or only reads, is none', () => {
    const refused = events.apiCall('PutSecretValue', secret, {});
    expect(read({ ...refused, detail: { ...refused.detail, errorCode: 'AccessDenied' } })).toEqual(none);
    expect(read(events.apiCall('GetSecretValue', secret, {}))).toEqual(none);
  });

  test('an event that came through SNS is unwrapped', () => {
    const Message = JSON.stringify(events.labelUpdated(secret, 'AWSCURRENT', version));
    expect(read({ Type: 'Notification', Message })).toMatchObject({ hints: [{ id: 'prod/key' }] });
  });
});

describe('what is no hint', () => {
  test.each([
    '',
    'text',
    '[]',
    'null',
    '{"source":"aws.ec2"}',
    '{"Type":"Notification","Message":"x"}',
    `{"source":"aws.secretsmanager","x":"${'y'.repeat(300_000)}"}`,
  ])('%.40s is foreign', (body) => {
    expect(readQueueMessage(body)).toEqual({ kind: 'foreign' });
  });

  const label = events.labelUpdated(secret, 'AWSCURRENT', version);
  test.each([
    [{ ...label, detail: 'x' }],
    [{ ...label, resources: [] }],
    [{ ...label, resources: ['arn:aws:sns:x'] }],
    [{ ...label, detail: { ...label.detail, name: 'a b' } }],
    [{ ...label, detail: { ...label.detail, name: 'x'.repeat(513) } }],
    [{ ...label, detail: { ...label.detail, labelUpdated: 1 } }],
    [{ ...label, detail: { ...label.detail, versionId: '../x' } }],
    [events.apiCall('PutSecretValue', { name: 'a b', arn: 'x y' }, {})],
    [{ ...events.apiCall('PutSecretValue', secret, {}), detail: { eventName: 'PutSecretValue' } }],
  ])('an event of Secrets Manager in another form is malformed (%#)', (event) => {
    expect(read(event)).toEqual({ kind: 'malformed' });
  });

  test('nothing makes it throw', () => {
    const odd = fc.anything({ withDate: false, maxDepth: 3 });
    fc.assert(
      fc.property(
        odd,
        odd,
        odd,
        fc.constantFrom('Secret Label Updated', 'AWS API Call via CloudTrail'),
        (resources, first, second, type) => {
          const detail = {
            ...(typeof first === 'object' && first),
            eventSource: 'secretsmanager.amazonaws.com',
            eventName: 'PutSecretValue',
            requestParameters: first,
            responseElements: second,
          };
          const body = JSON.stringify(
            { source: 'aws.secretsmanager', 'detail-type': type, resources, detail },
            (_, value) => (typeof value === 'bigint' ? String(value) : (value as unknown)),
          );
          expect(['event', 'malformed']).toContain(readQueueMessage(body).kind);
        },
      ),
    );
  });
});
