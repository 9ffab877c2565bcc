import { fromTransition, type AnyEventObject } from 'xstate';
import { replyStream, replyTo, transfer, type ReplyStream } from 'holdfast/agent';

/** What is to be written: numbers, or parts of a model's answer; to a stream of Holdfast, or one of the platform. */
export interface Writing extends AnyEventObject {
  readonly type: 'write' | 'move';
  readonly n: number;
  readonly deltas: boolean;
}

const chunkOf = (i: number, deltas: boolean): unknown =>
  deltas ? { type: 'text-delta', id: '0', delta: `token ${i}` } : i;

async function write(out: ReplyStream, { n, deltas }: Writing): Promise<void> {
  for (let i = 0; i < n; i++) {
    await out.write(chunkOf(i, deltas));
    // A thread lets its messages in now and then.
    if (i % 1000 === 999) await new Promise(setImmediate);
  }
  out.end(n);
}

function moved({ n, deltas }: Writing): ReadableStream {
  let i = 0;
  return new ReadableStream(
    {
      pull(controller) {
        if (i === n) controller.close();
        else controller.enqueue(chunkOf(i++, deltas));
      },
    },
    { highWaterMark: 64 },
  );
}

/** Writes as fast as its reader takes. */
export default fromTransition((state: null, event: Writing) => {
  if (event.type === 'write') void write(replyStream(event), event);
  else {
    const body = moved(event);
    replyTo(event, transfer({ body }, [body as never]));
  }
  return state;
}, null);
