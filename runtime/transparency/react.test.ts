import {
  Activity,
  Component,
  createElement,
  StrictMode,
  useEffect,
  useLayoutEffect,
  useState,
  type FunctionComponent,
  type ReactNode,
} from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { createActorContext, shallowEqual, useActor, useActorRef, useSelector } from '@xstate/react';
import { expect, onTestFinished, test, vi } from 'vitest';
import { assign, createActor, sendTo, setup, waitFor, type SnapshotFrom } from 'xstate';
import { agent, type AgentRef, type RuntimeEvents } from 'holdfast';
import type counter from '../fixtures/counter.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import type tree from './fixtures/tree.ts';

type Counter = AgentRef<typeof counter>;

const agents = {
  counter: agent<typeof counter>(fixture('counter', { supervision: { restart: 'temporary' } })),
  tree: agent<typeof tree>(agentIn('tree')),
};

const page = await vi.hoisted(async () => (await import('./fixtures/dom.ts')).openPage());

/** Renders and gives what stands there. */
function show(element: ReactNode): { text: () => string; unmount: () => void } {
  const container = page.document.createElement('div');
  const root = createRoot(container, { onUncaughtError() {}, onCaughtError() {} });
  root.render(element);
  const unmount = (): void => flushSync(() => root.unmount());
  onTestFinished(unmount);
  return { text: () => container.textContent, unmount };
}

const count = (snapshot: SnapshotFrom<Counter>): number | undefined => snapshot.context?.n;

test('useSelector shows the state of an agent, and each change of it', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('counter', { input: { start: 5 } });
  const rendered: (number | undefined)[] = [];
  const View: FunctionComponent = () => {
    const n = useSelector(ref, count);
    rendered.push(n);
    return createElement('p', null, n ?? 'unknown');
  };
  const { text, unmount } = show(createElement(View));
  await expect.poll(text, deadline).toBe('5');
  await ref.deliver({ type: 'inc' });
  await expect.poll(text, deadline).toBe('6');
  expect(rendered[0]).toBeUndefined();
  const before = rendered.length;
  await ref.deliver({ type: 'greet' });
  await ref.snapshot();
  expect(rendered).toHaveLength(before);
  // The mirror closes with the component.
  unmount();
  await ref.deliver({ type: 'inc' });
  expect(ref.getSnapshot().context.n).toBe(6);
});

test('useSelector compares as it is told, so that equal selections render once', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('counter');
  let renders = 0;
  const View: FunctionComponent = () => {
    renders += 1;
    const { tags } = useSelector(ref, ({ tags }) => ({ tags: [...tags].join() }), shallowEqual);
    return createElement('p', null, tags);
  };
  const { text } = show(createElement(View));
  await expect.poll(text, deadline).toBe('busy');
  const before = renders;
  for (let i = 0; i < 10; i++) await ref.deliver({ type: 'inc' });
  await ref.snapshot();
  expect(renders).toBe(before);
});

test('two components of one agent show the same, in strict mode too', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('counter');
  const View: FunctionComponent = () => createElement('p', null, useSelector(ref, count) ?? '?');
  const both = [createElement(View, { key: 'a' }), createElement(View, { key: 'b' })];
  const { text } = show(createElement(StrictMode, null, both));
  await expect.poll(text, deadline).toBe('00');
  await ref.deliver({ type: 'inc', by: 3 });
  await expect.poll(text, deadline).toBe('33');
});

test('an agent that fails is an error for the boundary around the component', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('counter');
  class Boundary extends Component<{ children: ReactNode }, { error?: RangeError & { code: string } }> {
    override state: { error?: RangeError & { code: string } } = {};
    static getDerivedStateFromError(error: RangeError & { code: string }): object {
      return { error };
    }
    override render(): ReactNode {
      const { error } = this.state;
      return error === undefined ? this.props.children : `${error.name} ${error.code}`;
    }
  }
  const View: FunctionComponent = () => createElement('p', null, useSelector(ref, count) ?? '?');
  const { text } = show(createElement(Boundary, null, createElement(View)));
  await expect.poll(text, deadline).toBe('0');
  ref.send({ type: 'fail' });
  await expect.poll(text, deadline).toBe('RangeError E_RANGE');
});

test('useActorRef runs an agent for as long as the component is there', async () => {
  const runtime = await start({ agents });
  const View: FunctionComponent = () => {
    const ref = useActorRef(runtime.logic('tree'), { input: { by: 4 } });
    return createElement('p', null, useSelector(ref, ({ context }) => context?.doubled) ?? '?');
  };
  const { text, unmount } = show(createElement(View));
  await expect.poll(text, deadline).toBe('8');
  expect(runtime.status().instances).toMatchObject([{ address: 'tree/1' }]);
  unmount();
  await vi.waitFor(() => expect(runtime.status().instances).toEqual([]), deadline);
});

test('useActorRef in strict mode, which mounts twice, leaves one agent that works', async () => {
  const runtime = await start({ agents });
  const refs = new Set<{ send(event: { type: 'inc' }): void }>();
  const View: FunctionComponent = () => {
    const ref = useActorRef(runtime.logic('counter'), { input: { start: 1 } });
    refs.add(ref);
    return createElement('p', null, useSelector(ref, count) ?? '?');
  };
  const { text, unmount } = show(createElement(StrictMode, null, createElement(View)));
  await expect.poll(text, deadline).toBe('1');
  for (const ref of refs) ref.send({ type: 'inc' });
  await expect.poll(text, deadline).toBe('2');
  unmount();
  await vi.waitFor(() => expect(runtime.status().instances).toEqual([]), deadline);
});

test.each(['once', 'twice, in strict mode'])(
  'what a child sends in its effects reaches an agent that is mounted %s',
  async (mounted) => {
    const runtime = await start({ agents });
    const letters: unknown[] = [];
    runtime.on('dead-letter', (letter) => letters.push(letter));
    const Child: FunctionComponent<{ send: (event: { type: 'inc'; by: number }) => void }> = ({ send }) => {
      useLayoutEffect(() => send({ type: 'inc', by: 10 }), []);
      useEffect(() => send({ type: 'inc', by: 1 }), []);
      return null;
    };
    const View: FunctionComponent = () => {
      const [state, send] = useActor(runtime.logic('counter'), { input: { start: 100 } });
      return createElement('p', null, state.context?.n ?? '?', createElement(Child, { send }));
    };
    const strict = mounted !== 'once';
    const { text } = show(
      strict ? createElement(StrictMode, null, createElement(View)) : createElement(View),
    );
    // As with a local machine each effect of strict mode sends.
    await expect.poll(text, deadline).toBe(strict ? '122' : '111');
    expect(letters).toEqual([]);
  },
);

test('what a machine sends an agent at its entry reaches it in strict mode', async () => {
  const runtime = await start({ agents });
  const machine = setup({
    types: { context: {} as { n: number | undefined } },
    actors: { counter: runtime.logic('counter') },
  }).createMachine({
    context: { n: undefined },
    invoke: {
      id: 'kid',
      src: 'counter',
      input: { start: 5 },
      onSnapshot: { actions: assign({ n: ({ event }) => event.snapshot.context.n }) },
    },
    entry: sendTo('kid', { type: 'inc', by: 2 }),
  });
  const View: FunctionComponent = () => createElement('p', null, useActor(machine)[0].context.n ?? '?');
  const { text } = show(createElement(StrictMode, null, createElement(View)));
  await expect.poll(text, deadline).toBe('7');
});

test('an actor that was stopped before it ran and is not started again has what it was sent as dead letters', async () => {
  const runtime = await start({ agents });
  const letters: unknown[] = [];
  const told = nextEvent<RuntimeEvents['dead-letter']>(
    (listener) => runtime.on('dead-letter', listener),
    ({ event }) => {
      letters.push(event);
      return letters.length === 2;
    },
  );
  const actor = createActor(runtime.logic('counter')).start();
  actor.send({ type: 'inc', by: 1 });
  actor.stop();
  actor.send({ type: 'inc', by: 2 });
  expect(await told).toMatchObject({ reason: 'stopped' });
  expect(letters).toEqual(
    expect.arrayContaining([
      { type: 'inc', by: 1 },
      { type: 'inc', by: 2 },
    ]),
  );
});

test('useActorRef that is given another agent has a reference to that one, and goes on from what was seen', async () => {
  const both = { counter: agents.counter, other: agents.counter };
  const runtime = await start({ agents: both });
  let click = (): void => {};
  let choose = (_name: 'counter' | 'other'): void => {};
  const View: FunctionComponent = () => {
    const [name, setName] = useState<'counter' | 'other'>('counter');
    choose = setName;
    const ref = useActorRef(runtime.logic(name), { input: { start: 3 } });
    click = () => ref.send({ type: 'inc' });
    return createElement('p', null, useSelector(ref, count) ?? '?');
  };
  const { text } = show(createElement(View));
  const running = (): string[] =>
    runtime.status().instances.map(({ address }) => address.split('/')[0] ?? '');
  await expect.poll(text, deadline).toBe('3');
  click();
  await expect.poll(text, deadline).toBe('4');
  flushSync(() => choose('other'));
  await expect.poll(running, deadline).toEqual(['other']);
  click();
  await expect.poll(text, deadline).toBe('5');
});

test('the logic of an agent is known by one config, and that of another agent or runtime by another', async () => {
  const both = { counter: agents.counter, other: agents.counter };
  const [one, two] = [await start({ agents: both }), await start({ agents: both })];
  const config = (logic: object): unknown => (logic as { config: unknown }).config;
  expect(config(one.logic('counter'))).toBe(config(one.logic('counter')));
  expect(config(one.logic('counter'))).toEqual({ id: 'counter' });
  expect(config(one.logic('other'))).not.toBe(config(one.logic('counter')));
  expect(config(two.logic('counter'))).not.toBe(config(one.logic('counter')));
});

test('useActorRef in a part that is hidden and shown again goes on from what was seen', async () => {
  const runtime = await start({ agents });
  let inc = (): void => {};
  let setShown = (_visible: boolean): void => {};
  const View: FunctionComponent = () => {
    const ref = useActorRef(runtime.logic('counter'), { input: { start: 1 } });
    inc = () => ref.send({ type: 'inc' });
    return createElement('p', null, useSelector(ref, count) ?? '?');
  };
  const Part: FunctionComponent = () => {
    const [visible, setVisible] = useState(true);
    setShown = setVisible;
    return createElement(Activity, {
      mode: visible ? 'visible' : 'hidden',
      children: createElement(View),
    });
  };
  const { text } = show(createElement(Part));
  await expect.poll(text, deadline).toBe('1');
  inc();
  await expect.poll(text, deadline).toBe('2');
  flushSync(() => setShown(false));
  await expect.poll(() => runtime.status().instances, deadline).toEqual([]);
  flushSync(() => setShown(true));
  await expect.poll(() => runtime.status().instances, deadline).toHaveLength(1);
  inc();
  await expect.poll(text, deadline).toBe('3');
});

test('useActor and a context of createActorContext give the state and send', async () => {
  const runtime = await start({ agents });
  const {
    Provider,
    useActorRef: useShared,
    useSelector: useShare,
  } = createActorContext(runtime.logic('counter'));
  let inc = (): void => {};
  const Shared: FunctionComponent = () => {
    const ref = useShared();
    inc = () => ref.send({ type: 'inc', by: 2 });
    return createElement('i', null, useShare(count) ?? '?');
  };
  const Own: FunctionComponent = () => {
    const [state, send] = useActor(runtime.logic('counter'), { input: { start: 7 } });
    return createElement('b', { onClick: () => send({ type: 'inc' }) }, state.context?.n ?? '?');
  };
  const { text } = show(createElement(Provider, null, createElement(Shared), createElement(Own)));
  await expect.poll(text, deadline).toBe('07');
  inc();
  await expect.poll(text, deadline).toBe('27');
});

test('an agent outlives the components that show it', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('counter');
  const View: FunctionComponent = () => createElement('p', null, useSelector(ref, count) ?? '?');
  const first = show(createElement(View));
  await expect.poll(first.text, deadline).toBe('0');
  first.unmount();
  await ref.deliver({ type: 'inc' });
  const second = show(createElement(View));
  await expect.poll(second.text, deadline).toBe('1');
  expect((await waitFor(ref, ({ status }) => status === 'active')).context.n).toBe(1);
});
