import {
  and,
  assign,
  cancel,
  emit,
  enqueueActions,
  forwardTo,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stateIn,
  stopChild,
  type AnyStateMachine,
} from 'xstate';
import { buildActor, type Uses } from './build-actor.ts';
import type { Action, Chart, Guard, Invoke, Output, Reaction, State, Trigger } from './chart.ts';
import { richValue, thrown } from './rich-values.ts';

export interface ChartContext {
  readonly fuel: number;
  readonly count: number;
  readonly log: readonly string[];
  readonly rich: unknown;
}

interface Args {
  readonly context: ChartContext;
  readonly event: { readonly type: string; readonly [key: string]: unknown };
}

type Config = Record<string, unknown>;

/** The XState machine that a chart describes. */
export function buildMachine(chart: Chart, uses: Uses = () => {}): AnyStateMachine {
  const builder = new Builder(chart, uses);
  const actors = Object.fromEntries(
    Object.entries(chart.actors).map(([src, actor]) => [src, buildActor(actor, uses, buildMachine)]),
  );
  const config: Config = {
    ...builder.state(chart.root),
    context: ({ input }: { input: { count?: number } | undefined }): ChartContext => ({
      fuel: chart.fuel,
      count: input?.count ?? 0,
      log: [],
      rich: undefined,
    }),
    ...(chart.output === null ? {} : { output: builder.output(chart.output) }),
  };
  const machine = setup({
    types: { context: {} as ChartContext, events: {} as Args['event'] },
    actors: actors,
    actions: {
      // Some by name and with params, some inline: both are what users write.
      count: assign({ count: ({ context }, params: { by: number }) => context.count + params.by }),
    },
    guards: { 'count even': ({ context }) => context.count % 2 === 0 },
  });
  return machine.createMachine(config as never) as unknown as AnyStateMachine;
}

class Builder {
  readonly #uses: Uses;
  readonly #histories = new Map<string, string>();

  constructor({ root }: Chart, uses: Uses) {
    this.#uses = uses;
    this.#findHistories(root);
  }

  #findHistories({ id, kind, states }: State): void {
    if (kind.endsWith('history')) this.#histories.set(id, kind);
    for (const state of states) this.#findHistories(state);
  }

  state(state: State): Config {
    if (state.kind === 'shallow history' || state.kind === 'deep history') {
      return {
        id: state.id,
        type: 'history',
        history: state.kind === 'deep history' ? 'deep' : 'shallow',
        ...(state.initial === null ? {} : { target: `#${state.initial}` }),
      };
    }
    const config: Config = {
      id: state.id,
      entry: [
        () => {
          this.#uses(`${state.kind} state`);
          if (state.tags.length > 0) this.#uses('tags');
        },
        ...this.actions(state.entry),
      ],
      exit: this.actions(state.exit),
      tags: [...state.tags],
      ...(state.output === null ? {} : { output: this.output(state.output) }),
    };
    if (state.kind === 'final' || state.kind === 'parallel') config['type'] = state.kind;
    if (state.kind === 'final') return config;
    if (state.kind === 'compound') config['initial'] = state.initial;
    if (state.states.length > 0) {
      config['states'] = Object.fromEntries(state.states.map((child) => [child.id, this.state(child)]));
    }
    config['invoke'] = state.invoke.map((invoke) => this.#invoke(invoke));
    this.#transitions(config, state);
    return config;
  }

  #transitions(config: Config, { transitions }: State): void {
    const on: Record<string, Config[]> = {};
    const after: Record<number, Config[]> = {};
    const always: Config[] = [];
    const done: Config[] = [];
    for (const { trigger, ...reaction } of transitions) {
      const built = this.#reaction(reaction, nameOf(trigger));
      if ('on' in trigger) (on[trigger.on] ??= []).push(built);
      else if ('after' in trigger) (after[trigger.after] ??= []).push(built);
      else if ('always' in trigger) always.push(built);
      else done.push(built);
    }
    Object.assign(config, { on, after, always, onDone: done });
  }

  #invoke({ src, id, systemId, onDone, onError, onSnapshot }: Invoke): Config {
    return {
      src,
      ...(id === null ? {} : { id }),
      ...(systemId === null ? {} : { systemId }),
      input: ({ context }: Args) => {
        this.#uses('invoke');
        return { count: context.count };
      },
      ...(onDone === null ? {} : { onDone: this.#reaction(onDone, 'child done') }),
      ...(onError === null ? {} : { onError: this.#reaction(onError, 'child error') }),
      ...(onSnapshot === null ? {} : { onSnapshot: this.#reaction(onSnapshot, 'child snapshot') }),
    };
  }

  #reaction({ guard, target, reenter, actions }: Reaction, trigger: string): Config {
    const fuelled = ({ context }: Args): boolean => context.fuel > 0;
    const burn = assign(({ context, event }: Args) => {
      this.#uses(trigger);
      if (event.type.startsWith('xstate.done.actor.') && event['output'] !== undefined)
        this.#uses('child output');
      if (reenter) this.#uses('reenter');
      const history = this.#histories.get(target ?? '');
      if (history !== undefined) this.#uses(`to ${history}`);
      return { fuel: context.fuel - 1 };
    });
    return {
      guard: guard === null ? fuelled : and([fuelled, this.guard(guard)] as never),
      ...(target === null ? {} : { target: `#${target}` }),
      ...(reenter ? { reenter: true } : {}),
      actions: [burn, ...this.actions(actions)],
    };
  }

  guard(guard: Guard): unknown {
    const used = (): boolean => {
      this.#uses(`guard: ${guard.is}`);
      return true;
    };
    switch (guard.is) {
      case 'count below':
        return ({ context }: Args) => used() && context.count < guard.n;
      case 'payload above':
        return ({ event }: Args) => used() && Number(event['n'] ?? 0) > guard.n;
      case 'count even':
        used();
        return 'count even';
      case 'throwing':
        return () => {
          used();
          throw new Error('a guard throws');
        };
      case 'in state':
        return and([used, stateIn(`#${guard.id}`)] as never);
      case 'not':
        return not(and([used, this.guard(guard.of)] as never) as never);
      case 'all':
        return and([used, ...guard.of.map((of) => this.guard(of))] as never);
      case 'any':
      default:
        return or([...guard.of.map((of) => this.guard(of)), () => !used()] as never);
    }
  }

  actions(actions: readonly Action[]): unknown[] {
    return actions.flatMap((action) => [() => this.#used(action), this.#action(action)]);
  }

  #used(action: Action): void {
    this.#uses(action.do);
    if (action.do === 'put') this.#uses(`rich: ${action.what}`);
    if (action.do === 'throw') this.#uses(`thrown: ${action.what}`);
    if ('delay' in action && action.delay !== null) this.#uses(`delayed ${action.do}`);
  }

  #action(action: Action): unknown {
    switch (action.do) {
      case 'count':
        return { type: 'count', params: { by: 1 } };
      case 'note':
        return assign(({ context, event }: Args) => ({
          log: [...context.log, `${action.text} ${summary(event)}`],
        }));
      case 'put':
        return assign({ rich: ({ context }: Args) => richValue(action.what, context.count) });
      case 'raise':
        return raise(({ context }: Args) => ({ type: action.event, n: context.count }), {
          ...(action.delay === null ? {} : { delay: action.delay }),
          id: `raise ${action.event}`,
        });
      case 'cancel':
        return cancel(`raise ${action.event}`);
      case 'emit':
        return emit(({ context, event }: Args) => ({
          type: action.event,
          n: context.count,
          because: event.type,
        }));
      case 'send':
        return sendTo(
          action.to,
          ({ context }: Args) => ({ type: action.event, n: context.count }),
          action.delay === null ? {} : { delay: action.delay },
        );
      case 'send by system id':
        return sendTo(({ system }) => system.get(action.to) as never, (({ context }: Args) => ({
          type: action.event,
          n: context.count,
        })) as never);
      case 'send parent':
        return sendParent(({ context }: Args) => ({ type: action.event, n: context.count }));
      case 'forward':
        return forwardTo(action.to);
      case 'spawn':
        return spawnChild(action.src, { id: action.id, input: ({ context }: Args) => context });
      case 'stop':
        return stopChild(action.id);
      case 'throw':
        return ({ context }: Args) => {
          throw thrown(action.what, context.count);
        };
      case 'when':
      default:
        return enqueueActions(({ enqueue, check }) => {
          if (!check(this.guard(action.guard) as never)) return;
          for (const inner of this.actions(action.actions)) enqueue(inner as never);
        });
    }
  }

  output(output: Output): (args: Args) => unknown {
    return ({ context, event }) => {
      this.#uses('output');
      switch (output) {
        case 'count':
          return context.count;
        case 'event':
          return { because: summary(event) };
        case 'log':
          return context.log;
        case 'rich':
          return context.rich;
        case 'throwing':
        default:
          throw new Error('an output throws');
      }
    };
  }
}

export function nameOf(trigger: Trigger): string {
  if ('on' in trigger) return trigger.on.includes('*') ? 'wildcard' : 'event';
  if ('after' in trigger) return 'after';
  return 'always' in trigger ? 'always' : 'state done';
}

/** What an action sees of its event; actors in it are named, as they cannot be compared. */
function summary({ type, n, output, error, snapshot }: Args['event']): string {
  const parts = [type];
  if (n !== undefined) parts.push(`n=${text(n)}`);
  if (output !== undefined) parts.push(`output=${text(output)}`);
  if (error !== undefined) parts.push(`error=${text(error)}`);
  if (snapshot !== undefined) {
    const { status, context, output: out } = snapshot as Record<string, unknown>;
    parts.push(`snapshot=${String(status)} ${text((context as ChartContext | undefined)?.count ?? out)}`);
  }
  return parts.join(' ');
}

/** Short: a log in an output that goes into a log would grow without end. */
function text(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`.slice(0, 80);
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 80);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
