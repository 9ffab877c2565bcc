import * as Comlink from 'comlink';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { openLink, type LinkApi } from './link.ts';

const ports: MessagePort[] = [];

function channel(): { ours: MessagePort; theirs: Comlink.Endpoint } {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  return { ours: port1, theirs: port2 };
}

afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

describe('an unmodified Comlink.wrap at the other side', () => {
  function wrapped(api: LinkApi): Comlink.Remote<Record<string, (...args: unknown[]) => unknown>> {
    const { ours, theirs } = channel();
    openLink(ours, { expose: api });
    return Comlink.wrap(theirs);
  }

  it('calls an allowed method and gets its outcome', async () => {
    const remote = wrapped({ add: (a: number, b: number) => a + b, later: async () => 'later' });

    expect(await remote['add']?.(2, 3)).toEqual([1, 5]);
    expect(await remote['later']?.()).toEqual([1, 'later']);
  });

  it('gets a failure as an outcome too, with everything of the error', async () => {
    const remote = wrapped({
      fail() {
        throw Object.assign(new RangeError('no'), { code: 'E_NO' });
      },
    });

    expect(await remote['fail']?.()).toMatchObject([
      0,
      { name: 'RangeError', message: 'no', props: { code: 'E_NO' } },
    ]);
  });

  it('has a refused call rejected in comlink’s own way', async () => {
    const remote = wrapped({ add: () => 0 });

    await expect(remote['nothing']?.()).rejects.toThrow('this call is not allowed');
  });

  it('gets comlink’s own answer for a result that cannot be cloned', async () => {
    const remote = wrapped({ bad: () => () => {} });

    await expect(remote['bad']?.()).rejects.toThrow('Unserializable return value');
  });
});

/** Spells out our calls, which come in a short form, for comlink. */
function spelledOut(port: MessagePort): Comlink.Endpoint {
  return {
    postMessage: (message: unknown, transfer: unknown[] = []) => port.postMessage(message, transfer as never),
    addEventListener(_type: string, listener: (event: { data: unknown }) => void) {
      port.on('message', ([id, method, ...args]: [number, string, ...unknown[]]) => {
        const argumentList = args.map((value) => ({ type: 'RAW', value }));
        listener({ data: { id, type: 'APPLY', path: [method], argumentList } });
      });
    },
    removeEventListener() {},
  };
}

describe('an unmodified Comlink.expose at the other side', () => {
  function calling(api: object): ReturnType<typeof openLink> {
    const { ours, theirs } = channel();
    Comlink.expose(api, spelledOut(theirs as unknown as MessagePort));
    return openLink(ours);
  }

  it('answers our calls when it answers with outcomes', async () => {
    const link = calling({ add: (a: number, b: number) => [1, a + b] });

    expect(await Promise.all([link.call('add', 1, 2), link.call('add', 3, 4)])).toEqual([3, 7]);
  });

  it('is told that a bare value is no answer', async () => {
    const link = calling({ bare: () => 'no outcome' });

    await expect(link.call('bare')).rejects.toThrow('a frame that is not an answer');
  });

  it('has its thrown errors reject our calls, as far as comlink carries them', async () => {
    const link = calling({
      fail() {
        throw new RangeError('far away');
      },
    });

    const error = (await link.call('fail').catch((thrown: unknown) => thrown)) as Error;

    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toBe('far away');
    expect(error.stack).toContain('link-comlink.test.ts');
  });

  it.each([['text'], [7], [{ reason: 'an object' }]])(
    'has the thrown value %j reject our call as it is',
    async (thrown) => {
      const link = calling({ fail: () => Promise.reject(thrown) });

      await expect(link.call('fail')).rejects.toEqual(thrown);
    },
  );
});
