import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import {
  droppedFrames,
  proxyAssignments,
  proxyAttacks,
  refusedFrames,
  type Walkable,
} from './fixtures/attacks.ts';
import { rawPeer } from './fixtures/raw-peer.ts';
import { openLink, type Link, type LinkOptions } from './link.ts';
import { createProgress } from './progress.ts';

type Mode = 'attack' | 'exit' | 'crash' | 'silent' | 'hang-up';

let worker: Worker | undefined;

function startPeer(mode: Mode, options: LinkOptions): Link {
  const { port1, port2 } = new MessageChannel();
  worker = new Worker(new URL('./fixtures/attacker.ts', import.meta.url), {
    workerData: { port: port2, mode },
    transferList: [port2],
    stderr: true,
  });
  worker.on('error', () => {});
  return openLink(port1, options);
}

afterEach(async () => {
  await worker?.terminate();
});

describe('a worker that attacks its host', () => {
  it('is refused everything, every time, and the host serves its next call', async () => {
    const violations: string[] = [];
    const calls: unknown[] = [];
    const report = await new Promise<{ gotThrough: string[]; refused: number }>((resolve) => {
      startPeer('attack', {
        expose: {
          ping: (...args: unknown[]) => void calls.push(args),
          done: resolve,
        },
        onViolation: (what) => violations.push(what),
      });
    });

    const proxied = Object.keys(
      proxyAttacks((() => {}) as unknown as Walkable, await import('comlink')),
    ).length;
    const assigned = Object.keys(proxyAssignments).length;
    const framed = Object.keys(droppedFrames).length + Object.keys(refusedFrames).length;
    expect(report).toEqual({ gotThrough: [], refused: proxied + assigned });
    // `new x()` is walked once and then read: at least one violation for each attack.
    expect(violations.length).toBeGreaterThanOrEqual(proxied + assigned + framed);
    expect(calls).toEqual([]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect((globalThis as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

/** Aimed at a method that the thread does offer. */
function atHello(frame: Record<string, unknown>): Record<string, unknown> {
  const { path } = frame;
  return Array.isArray(path) && path[0] === 'ping' ? { ...frame, path: ['hello', ...path.slice(1)] } : frame;
}

describe('a host that attacks a thread', () => {
  it('is refused everything, and the thread serves its next call', async () => {
    const { port1, port2 } = new MessageChannel();
    worker = new Worker(new URL('../worker/entry.ts', import.meta.url), {
      execArgv: ['-C', 'holdfast-source'],
      workerData: { port: port2, progress: createProgress().buffer, threadId: 'attacked', clockOrigin: 0 },
      transferList: [port2],
    });
    const host = rawPeer(port1);

    for (const message of Object.values(droppedFrames)) port1.postMessage(message);
    const frames = Object.entries(refusedFrames).map(async ([name, frame]) => {
      const { value } = await host.ask(atHello(frame));
      return [name, (value as { value: Error }).value.message];
    });

    expect(await Promise.all(frames)).toEqual(
      Object.keys(refusedFrames).map((name) => [name, 'this call is not allowed']),
    );
    const { value } = await host.ask({ type: 'APPLY', path: ['hello'], argumentList: [] });
    expect(value).toEqual([1, worker.threadId]);
    port1.close();
  });
});

describe('calls to a thread that goes away', () => {
  it.each(['exit', 'crash', 'hang-up'] as const)('reject when it does: %s', async (mode) => {
    const link = startPeer(mode, {});
    const calls = Array.from({ length: 100 }, (_, n) => link.call('anything', n));
    expect(link.pending).toBe(100);

    const settled = await Promise.allSettled(calls);

    expect(new Set(settled.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(link.pending).toBe(0);
    await expect(link.call('anything')).rejects.toThrow('closed by the other side');
    expect(link.pending).toBe(0);
  });

  it('reject when it is terminated', async () => {
    const link = startPeer('silent', {});
    await once(worker as Worker, 'online');
    const calls = Promise.allSettled([link.call('a'), link.call('b')]);

    await worker?.terminate();

    expect((await calls).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(link.pending).toBe(0);
  });

  it('reject with the owner’s reason when the owner closes the link', async () => {
    const link = startPeer('silent', {});
    await once(worker as Worker, 'online');
    const reason = new Error('THREAD_CRASHED in real life');
    const call = link.call('a');

    link.close(reason);

    await expect(call).rejects.toBe(reason);
    await expect(link.call('b')).rejects.toBe(reason);
    expect(link.pending).toBe(0);
  });

  it('wait for that reason when the owner has asked to be told', async () => {
    const reason = new Error('the owner knows more than the port');
    let call: Promise<unknown> | undefined;
    let later: Promise<unknown> | undefined;
    const closed = new Promise<void>((resolve) => {
      const link = startPeer('exit', {
        onClose() {
          later = link.call('b');
          link.close(reason);
          resolve();
        },
      });
      call = link.call('a');
    });

    await closed;

    await expect(call).rejects.toBe(reason);
    await expect(later).rejects.toBe(reason);
  });
});
