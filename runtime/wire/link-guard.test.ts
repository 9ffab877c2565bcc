import * as Comlink from 'comlink';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { droppedFrames, proxyAttacks, refusedFrames, type Walkable } from './fixtures/attacks.ts';
import { linkWithRawPeer, type Pair } from './fixtures/raw-peer.ts';
import { openLink } from './link.ts';

let pair: Pair | undefined;

function open(): Pair {
  pair = linkWithRawPeer();
  return pair;
}

/** The side that was attacked is as it was, and still serves its peer. */
async function expectIntact({ peer }: Pair): Promise<void> {
  expect(await peer.ping()).toEqual([1, 'pong']);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect((globalThis as Record<string, unknown>)['polluted']).toBeUndefined();
}

afterEach(() => {
  pair?.close();
  delete (Object.prototype as Record<string, unknown>)['polluted'];
  delete (globalThis as Record<string, unknown>)['polluted'];
});

describe('a frame that asks for more than an allowed call is refused with an answer and counted', () => {
  it.each(Object.entries(refusedFrames))('%s', async (_name, frame) => {
    const attacked = open();

    const answer = await attacked.peer.ask(frame);

    expect(answer).toMatchObject({
      type: 'HANDLER',
      name: 'throw',
      value: { isError: true, value: { message: 'this call is not allowed' } },
    });
    expect(attacked.violations).toHaveLength(1);
    expect(attacked.pings).toEqual([]);
    await expectIntact(attacked);
  });
});

describe('a message that is no call and no answer is dropped and counted', () => {
  it.each(Object.entries(droppedFrames))('%s', async (_name, message) => {
    const attacked = open();

    attacked.peer.port.postMessage(message);

    await expectIntact(attacked);
    expect(attacked.violations).toHaveLength(1);
  });
});

describe('an unmodified comlink proxy gets nowhere but to the allowed methods', () => {
  const names = Object.keys(proxyAttacks((() => {}) as unknown as Walkable, Comlink));

  it.each(names)('%s', async (name) => {
    const attacked = open();
    const remote = Comlink.wrap(attacked.peer.port) as unknown as Walkable;

    await expect(proxyAttacks(remote, Comlink)[name]?.()).rejects.toThrow('this call is not allowed');

    expect(attacked.violations.length).toBeGreaterThan(0);
    expect(attacked.pings).toEqual([]);
    await expectIntact(attacked);
  });
});

describe('a link that offers nothing', () => {
  it('refuses every call, also of a name that others offer', async () => {
    const { port1, port2 } = new MessageChannel();
    const violations: string[] = [];
    const told = new Promise<void>((resolve) => {
      const onViolation = (what: string): void => {
        violations.push(what);
        resolve();
      };
      const link = openLink(port1, { onViolation });
      port2.once('close', () => link.close(new Error('over')));
    });

    port2.postMessage({ id: 'a', type: 'APPLY', path: ['ping'], argumentList: [] });

    await told;
    expect(violations).toEqual(['a call (APPLY) to a side that offers none']);
    port2.close();
  });
});

describe('what is said of a violation', () => {
  it('names comlink’s own types and never repeats what the peer wrote', async () => {
    const attacked = open();

    await attacked.peer.ask({ type: 'SET', path: ['ping'] });
    await attacked.peer.ask({ type: 'planted-canary '.repeat(10_000), path: ['ping'] });

    expect(attacked.violations[0]).toBe('a call (SET) that is not allowed');
    expect(attacked.violations[1]).not.toContain('planted-canary');
    expect(attacked.violations[1]?.length).toBeLessThan(100);
  });
});

describe('a refused frame', () => {
  it('costs the pending calls of the other direction nothing', async () => {
    const attacked = open();
    const pending = attacked.link.call('anything');
    attacked.peer.answerNext({ type: 'RAW', value: [1, 'late but right'] });

    await attacked.peer.ask(refusedFrames['RELEASE'] as Record<string, unknown>);

    expect(await pending).toBe('late but right');
    await expectIntact(attacked);
  });

  it('with an id of its own kind is answered under that id alone', async () => {
    const attacked = open();

    const answers = await Promise.all([
      attacked.peer.ask({ type: 'GET', path: ['ping'] }),
      attacked.peer.ask({ type: 'APPLY', path: ['ping'], argumentList: [] }),
      attacked.peer.ask({ type: 'ENDPOINT' }),
    ]);

    expect(answers.map(({ type }) => type)).toEqual(['HANDLER', 'RAW', 'HANDLER']);
  });
});
