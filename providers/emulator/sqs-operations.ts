import type { Principal } from './iam-access.ts';
import { ServiceError } from './secrets-manager-store.ts';
import { md5, type QueueStore } from './sqs-queue.ts';

type Request = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;

/** What an operation of SQS works with. */
export interface QueueContext {
  readonly queues: ReadonlyMap<string, QueueStore>;
  readonly caller: Principal;
  /** Aborts when the asker hangs up, or the emulator stops. */
  readonly signal: AbortSignal;
}

/** One operation: request in, answer out, or a {@link ServiceError}. */
export type QueueOperation = (context: QueueContext, request: Request) => Answer | Promise<Answer>;

/** The operations of SQS that are emulated, by name. */
export const queueOperations: ReadonlyMap<string, QueueOperation> = new Map<string, QueueOperation>([
  ['GetQueueUrl', getQueueUrl],
  ['SendMessage', sendMessage],
  ['ReceiveMessage', receiveMessage],
  ['DeleteMessage', deleteMessage],
  ['DeleteMessageBatch', deleteMessageBatch],
]);

/** The names by which clients know these errors besides their own: `x-amzn-query-error`. */
export const queueErrorCodes: Readonly<Record<string, string>> = {
  AccessDeniedException: 'AccessDenied',
  QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue',
};

function getQueueUrl({ queues, caller }: QueueContext, request: Request): Answer {
  const queue = queues.get(text(request, 'QueueName'));
  if (queue === undefined) throw noQueue();
  caller.require('sqs:GetQueueUrl', queue.arn);
  return { QueueUrl: queue.url };
}

function sendMessage(context: QueueContext, request: Request): Answer {
  const body = text(request, 'MessageBody');
  const delay = whole(request, 'DelaySeconds', 0, 900, 0);
  const id = queueOf(context, 'SendMessage', request).add(body, delay * 1000);
  return { MessageId: id, MD5OfMessageBody: md5(body) };
}

async function receiveMessage(context: QueueContext, request: Request): Promise<Answer> {
  const queue = queueOf(context, 'ReceiveMessage', request);
  const count = whole(request, 'MaxNumberOfMessages', 1, 10, 1);
  const visibility = whole(request, 'VisibilityTimeout', 0, 43_200, 30);
  const wait = whole(request, 'WaitTimeSeconds', 0, 20, 0);
  const messages = await queue.receive(count, visibility * 1000, wait * 1000, context.signal);
  return messages.length === 0 ? {} : { Messages: messages };
}

function deleteMessage(context: QueueContext, request: Request): Answer {
  queueOf(context, 'DeleteMessage', request).remove(text(request, 'ReceiptHandle'));
  return {};
}

function deleteMessageBatch(context: QueueContext, request: Request): Answer {
  const queue = queueOf(context, 'DeleteMessage', request);
  const entries = request['Entries'];
  if (!Array.isArray(entries) || entries.length === 0)
    throw new ServiceError('EmptyBatchRequest', 'There should be at least one entry in the request.');
  if (entries.length > 10)
    throw new ServiceError('TooManyEntriesInBatchRequest', 'Maximum number of entries per request are 10.');
  const ids = entries.map((entry: Request) => {
    queue.remove(text(entry, 'ReceiptHandle'));
    return { Id: text(entry, 'Id') };
  });
  return { Successful: ids };
}

function queueOf({ queues, caller }: QueueContext, operation: string, request: Request): QueueStore {
  const url = text(request, 'QueueUrl');
  const queue = [...queues.values()].find((each) => each.url === url);
  if (queue === undefined) throw noQueue();
  caller.require(`sqs:${operation}`, queue.arn);
  return queue;
}

function noQueue(): ServiceError {
  return new ServiceError('QueueDoesNotExist', 'The specified queue does not exist.');
}

function text(request: Request, key: string): string {
  const value = request[key];
  if (typeof value === 'string' && value !== '') return value;
  throw new ServiceError('MissingParameter', `The request must contain the parameter ${key}.`);
}

function whole(request: Request, key: string, least: number, most: number, fallback: number): number {
  const value = request[key] ?? fallback;
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number;
  throw new ServiceError(
    'InvalidParameterValue',
    `Value ${JSON.stringify(value)} for parameter ${key} is invalid. Reason: Must be >= ${least} and <= ${most}.`,
  );
}
