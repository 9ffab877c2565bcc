import { setTimeout as sleep } from 'node:timers/promises';
import type * as Sqs from '@aws-sdk/client-sqs';
import { commonConfig, type ClientLimits } from './aws-client.ts';
import { unlessAborted } from './aws-connections.ts';
import { readQueueMessage } from './aws-rotation-events.ts';
import { ProviderError, type ProviderFailure, type RotationHint } from './provider.ts';

/** Seconds of one long poll: the most that SQS takes, so the fewest calls. */
const waitSeconds = 20;
/** Seconds after which a message that was not deleted is received again. Deleting takes far less. */
const visibilitySeconds = 30;
/** Milliseconds between two receives that brought nothing; doubled after each up to the longest when they fail. */
const shortestPauseMs = 1_000;
const longestPauseMs = 60_000;
/** One step with its look for credentials, which heeds no signal: a long poll, and as much again. */
const longestStepMs = 2 * waitSeconds * 1_000;
/** What passes by itself is told of from this many failures in a row on: about 5 s. */
const lasting = 3;

/** Where the queue is, and how to get at it. */
export interface RotationQueueOptions extends ClientLimits {
  readonly queueUrl: string;
  /** Of the queue, where its URL does not say. */
  readonly region: string | (() => Promise<string>);
  readonly credentials?: NonNullable<Sqs.SQSClientConfig['credentials']> | undefined;
  readonly classify: (error: unknown) => ProviderFailure;
}

/** The world around a watch, for tests. */
export interface RotationQueueWorld {
  readonly load: () => Promise<typeof Sqs>;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Waits so many milliseconds, or until `signal` aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

const realWorld: RotationQueueWorld = {
  load: () => import('@aws-sdk/client-sqs'),
  random: Math.random,
  pause: (ms, signal) => sleep(ms, undefined, { signal, ref: false }).catch(() => undefined),
  now: () => performance.now(),
};

/**
 * Reads a queue with the events of Secrets Manager and tells what they hint at, until `signal` aborts. Messages of
 * Secrets Manager are deleted once they were told; what else is in the queue stays. Nothing ends it but the signal:
 * after an error it tries again, 1 s later, then twice as long each time up to 60 s.
 *
 * @throws {ProviderError} when `@aws-sdk/client-sqs` is not installed
 */
export async function watchRotationQueue(
  options: RotationQueueOptions,
  emit: (hint: RotationHint) => void,
  signal: AbortSignal,
  report: (trouble: ProviderError) => void = () => undefined,
  world: RotationQueueWorld = realWorld,
): Promise<void> {
  const sdk = await load(world);
  if (signal.aborted) return;
  const client = connect(sdk, options);
  const troubles = createTroubles(report);
  /** Rounds in a row that failed, or brought nothing but what is not ours. */
  let inVain = 0;
  try {
    while (!signal.aborted) {
      const started = world.now();
      const outcome = await round();
      inVain = outcome === 'failed' || outcome === 'foreign' ? inVain + 1 : 0;
      // A long poll that brought nothing has waited already; an empty answer at once must not become a busy loop.
      const quick = world.now() - started < shortestPauseMs;
      if (!signal.aborted && outcome !== 'events' && (quick || inVain > 0))
        await world.pause(pauseMs(inVain, world.random()), signal);
    }
  } finally {
    client.destroy();
  }

  async function round(): Promise<'events' | 'nothing' | 'foreign' | 'failed'> {
    const messages = await attempt('receive', () => receive());
    if (messages === undefined) return 'failed';
    const receipts: string[] = [];
    for (const { Body: body = '', ReceiptHandle: receipt = '' } of messages) {
      const message = readQueueMessage(body);
      if (message.kind === 'foreign') {
        troubles.foreign();
        continue;
      }
      if (message.kind === 'malformed') troubles.malformed();
      else message.hints.forEach(emit);
      receipts.push(receipt);
    }
    if (receipts.length === 0) return messages.length === 0 ? 'nothing' : 'foreign';
    await attempt('delete', () => remove(receipts));
    return 'events';
  }

  async function receive(): Promise<readonly Sqs.Message[]> {
    const command = new sdk.ReceiveMessageCommand({
      QueueUrl: options.queueUrl,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: waitSeconds,
      VisibilityTimeout: visibilitySeconds,
    });
    const { Messages: messages = [] } = await client.send(command, { abortSignal: signal });
    return messages;
  }

  async function remove(receipts: readonly string[]): Promise<void> {
    const entries = receipts.map((ReceiptHandle, at) => ({ Id: String(at), ReceiptHandle }));
    const command = new sdk.DeleteMessageBatchCommand({ QueueUrl: options.queueUrl, Entries: entries });
    const { Failed: failed = [] } = await client.send(command, { abortSignal: signal });
    if (failed[0] !== undefined) throw Object.assign(new Error('not deleted'), { name: failed[0].Code });
  }

  /** What the step gives; nothing when it failed, which is told of. */
  async function attempt<T>(step: Step, run: () => Promise<T>): Promise<T | undefined> {
    try {
      const ending = AbortSignal.any([signal, AbortSignal.timeout(longestStepMs)]);
      const result = await unlessAborted(ending, () => withCredentialsRenewed(run));
      troubles.over(step);
      return result;
    } catch (error) {
      if (signal.aborted) return undefined;
      troubles.failed(step, failureOf(error, options), nameOf(error));
      return undefined;
    }
  }

  /** Credentials that have expired or are not known are looked for again once, and the step is repeated once. */
  async function withCredentialsRenewed<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (signal.aborted || failureOf(error, options) !== 'expired-credentials') throw error;
    }
    await client.config.credentials({ forceRefresh: true });
    return run();
  }
}

async function load({ load: run }: RotationQueueWorld): Promise<typeof Sqs> {
  try {
    return await run();
  } catch (cause) {
    throw new ProviderError(
      'invalid',
      'The option rotationQueueUrl needs a package that is not there: npm install @aws-sdk/client-sqs. Until then ' +
        'rotations are noticed by polling only.',
      { cause },
    );
  }
}

function connect(sdk: typeof Sqs, options: RotationQueueOptions): Sqs.SQSClient {
  const { origin, hostname } = new URL(options.queueUrl);
  const region = regionOf(hostname) ?? options.region;
  const config = {
    // The SDK would take the host from the queue's URL by itself, and warn that it is not the region's own.
    endpoint: origin,
    // The loop is the retry.
    maxAttempts: 1,
    ...commonConfig(options, waitSeconds * 1_000 + options.requestTimeoutMs),
    region,
    ...(options.credentials !== undefined && { credentials: options.credentials }),
  };
  return new sdk.SQSClient(config);
}

/** From `sqs.eu-west-1.amazonaws.com`, `eu-west-1.queue.amazonaws.com` and the names of VPC endpoints. */
export function regionOf(hostname: string): string | undefined {
  return /(?:^|\.)([a-z]{2,4}(?:-[a-z]+)+-\d)\./.exec(hostname)?.[1];
}

/** Between half of it and all, so that hosts which lost the same queue do not come back together. */
function pauseMs(inVain: number, random: number): number {
  const full = Math.min(longestPauseMs, shortestPauseMs * 2 ** Math.max(0, inVain - 1));
  return full * (0.5 + random / 2);
}

const noQueue = new Set(['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue']);

function failureOf(error: unknown, { classify }: RotationQueueOptions): ProviderFailure {
  return noQueue.has(nameOf(error)) ? 'not-found' : classify(error);
}

function nameOf(error: unknown): string {
  const { name } = (error ?? {}) as { name?: unknown };
  return typeof name === 'string' ? name : 'an unknown error';
}

type Step = 'receive' | 'delete';

/** Tells of each trouble once, until the step it is about has gone well again. */
interface Troubles {
  failed(step: Step, failure: ProviderFailure, name: string): void;
  over(step: Step): void;
  foreign(): void;
  malformed(): void;
}

const advice: Partial<Record<ProviderFailure, string>> = {
  denied: 'the host needs sqs:ReceiveMessage and sqs:DeleteMessage on it',
  'not-found': 'there is no such queue; check rotationQueueUrl',
  'expired-credentials': 'the host has no valid AWS credentials',
};

function createTroubles(report: (trouble: ProviderError) => void): Troubles {
  const told = new Set<string>();
  const inARow: Record<Step, number> = { receive: 0, delete: 0 };
  const once = (key: string, failure: ProviderFailure, message: string): void => {
    if (told.has(key)) return;
    told.add(key);
    report(new ProviderError(failure, message));
  };
  return {
    failed(step, failure, name) {
      inARow[step] += 1;
      const passing = failure === 'transient' || failure === 'throttled';
      if (passing && inARow[step] < lasting) return;
      const what = step === 'receive' ? 'read' : 'tidied';
      const why = advice[failure] ?? 'it is tried again';
      const rest = step === 'receive' ? ' Until then rotations are noticed by polling only.' : '';
      once(`${step} ${failure}`, failure, `The rotation queue cannot be ${what} (${name}): ${why}.${rest}`);
    },
    over(step) {
      inARow[step] = 0;
      for (const key of told) if (key.startsWith(`${step} `)) told.delete(key);
    },
    foreign() {
      once(
        'foreign',
        'invalid',
        'The rotation queue has messages that are not from Secrets Manager. They are left there and slow the watch ' +
          'down: give it a queue of its own.',
      );
    },
    malformed() {
      once(
        'malformed',
        'invalid',
        'The rotation queue brought an event of Secrets Manager in an unknown form.',
      );
    },
  };
}
