import { assign, setup } from 'xstate';
import { expect, it } from 'vitest';
import { started } from '../xstate/fixtures/hosting.ts';
import { overStream, Writer, type ReplyStream } from './reply-stream.ts';

const writer = (): ReplyStream =>
  new Writer({
    streams: true,
    sharedMemory: false,
    threadId: 'pool',
    send() {},
    answer() {},
    refuse() {},
    over() {},
  });

const keeping = setup({ types: { context: {} as { out: ReplyStream | undefined } } }).createMachine({
  context: { out: undefined },
  on: { open: { actions: assign({ out: () => writer() }) } },
});

it('a stream in a context is data when it is persisted, and over when it is restored', async () => {
  const first = started(keeping, {});
  first.actor.deliver({ type: 'open' });
  const { snapshot } = structuredClone(first.actor.persist());
  expect(snapshot).toMatchObject({ context: { out: { holdfast$$type: 'stream' } } });
  const { context } = started(keeping, { snapshot, overStream }).actor.ref.getSnapshot() as {
    context: { out: ReplyStream };
  };
  const { out } = context;
  expect(out.signal.aborted).toBe(true);
  expect(out.signal.reason).toMatchObject({ code: 'STREAM_INTERRUPTED' });
  await out.write('late');
  out.end();
  out.fail(new Error('late'));
});
