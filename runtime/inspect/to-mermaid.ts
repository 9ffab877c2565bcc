import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { checkCall, isObject, type Rule } from '../base/call-check.ts';

/**
 * The state chart of a machine as the text of a Mermaid diagram, which GitHub and most Markdown viewers draw: nested and
 * parallel states, final states, invoked actors, and transitions with their guards and actions, `always` and delays
 * included.
 *
 * Mermaid draws no arrow across the border of a state; such a one leads from or to the outer state, and its label names the
 * inner one. Transitions of the machine itself, which hold in each of its states, begin at a box of their own.
 *
 * @example
 * ```ts
 * writeFileSync('order.md', '```mermaid\n' + toMermaid(orderMachine) + '```\n');
 * ```
 */
export function toMermaid(machine: AnyStateMachine): string {
  checkCall('toMermaid()', { machine: [machine, aMachine] });
  const { root } = machine;
  const arrows = Map.groupBy(allTransitions(root), ({ within }) => within);
  const own = arrows.get(undefined) ?? [];
  const lines = ['stateDiagram-v2', ...contentsOf(root, arrows, 1)];
  if (own.length > 0) {
    lines.push(
      `  state "in any state of ${escaped(root.key)}" as ${ANYWHERE}`,
      ...own.map(({ text }) => `  ${text}`),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** By what is read of it: one of another copy of XState is as good. */
const aMachine: Rule = {
  what: 'a state machine of XState',
  is(value) {
    const { root, states } = value as Partial<AnyStateMachine>;
    return isObject(root) && isObject(states) && root.transitions instanceof Map;
  },
};

/** No state has this id: theirs begin with `s_`. */
const ANYWHERE = 'anywhere';

interface Arrow {
  /** The state in which both ends stand; undefined: it begins at the machine itself. */
  readonly within: AnyStateNode | undefined;
  readonly text: string;
}

type Arrows = ReadonlyMap<AnyStateNode | undefined, readonly Arrow[]>;

function contentsOf(node: AnyStateNode, arrows: Arrows, depth: number): string[] {
  const children = Object.values(node.states);
  const states = children.map((child) => stateOf(child, arrows, depth));
  if (node.type === 'parallel')
    return states.flatMap((lines, n) => (n === 0 ? lines : [`${indent(depth)}--`, ...lines]));
  const initial = node.initial?.target?.[0];
  const first = initial === undefined ? undefined : childOf(node, initial);
  const finals = children.filter(({ type }) => type === 'final');
  return [
    ...(first === undefined ? [] : [`${indent(depth)}[*] --> ${idOf(first)}`]),
    ...states.flat(),
    ...(arrows.get(node) ?? []).map(({ text }) => `${indent(depth)}${text}`),
    ...finals.map((child) => `${indent(depth)}${idOf(child)} --> [*]`),
  ];
}

function stateOf(node: AnyStateNode, arrows: Arrows, depth: number): string[] {
  const declared = `${indent(depth)}state "${escaped(titleOf(node))}" as ${idOf(node)}`;
  if (Object.keys(node.states).length === 0) return [declared];
  return [`${declared} {`, ...contentsOf(node, arrows, depth + 1), `${indent(depth)}}`];
}

function titleOf({ key, type, history, invoke }: AnyStateNode): string {
  if (type === 'history') return history === 'deep' ? `${key} (history, deep)` : `${key} (history)`;
  const invoked = invoke.map(({ src, id }) => (typeof src === 'string' ? src : id));
  return invoked.length === 0 ? key : `${key} (invokes ${invoked.join(', ')})`;
}

function allTransitions(node: AnyStateNode): Arrow[] {
  const always = (node.always ?? []).map((definition) => arrow('', definition));
  const named = Array.from(node.transitions, ([event, definitions]) =>
    definitions.map((definition) => arrow(eventName(event, node), definition)),
  );
  return [...always, ...named.flat(), ...Object.values(node.states).flatMap(allTransitions)];
}

function arrow(event: string, definition: AnyTransitionDefinition): Arrow {
  const { source, target: targets = [] } = definition;
  const [target = source, ...others] = targets;
  const { within, from, to } = endsOf(source, target);
  const notes = [
    from !== source && from !== undefined && `from ${keysBelow(from, source)}`,
    to !== target && to !== undefined && `to ${keysBelow(to, target)}`,
    others.length > 0 && `and to ${others.map(({ key }) => key).join(', ')}`,
  ].filter((note) => note !== false);
  const note = notes.length > 0 && `(${notes.join(', ')})`;
  const label = [event, guardOf(definition), actionsOf(definition), note].filter(Boolean).join(' ');
  const id = (node: AnyStateNode | undefined): string => (node === undefined ? ANYWHERE : idOf(node));
  const text = `${id(from)} --> ${id(to)}`;
  return { within, text: label === '' ? text : `${text} : ${escaped(label)}` };
}

interface Ends {
  readonly within: AnyStateNode | undefined;
  /** Undefined: the machine itself. */
  readonly from: AnyStateNode | undefined;
  readonly to: AnyStateNode | undefined;
}

/** Two states beside each other that stand for both ends: they, or those that they are in. */
function endsOf(source: AnyStateNode, target: AnyStateNode): Ends {
  const { parent } = source;
  if (parent === undefined) return { within: undefined, from: undefined, to: childOf(source, target) };
  const outer = new Set(ancestors(parent));
  // Into itself is a loop at its border, and so is what leaves it for one that it is in.
  let within = ancestors(target.parent ?? target).find((node) => outer.has(node)) ?? parent;
  // Between two regions of a parallel state there is no room for an arrow.
  while (within.type === 'parallel' && within.parent !== undefined) within = within.parent;
  const from = childOf(within, source) ?? source;
  return { within, from, to: childOf(within, target) ?? from };
}

/** The node itself and those that it is in, the innermost first. */
function ancestors(node: AnyStateNode): AnyStateNode[] {
  const all: AnyStateNode[] = [];
  for (let at: AnyStateNode | undefined = node; at !== undefined; at = at.parent) all.push(at);
  return all;
}

/** The child of `outer` that is or holds `inner`. */
function childOf(outer: AnyStateNode, inner: AnyStateNode): AnyStateNode | undefined {
  return ancestors(inner).find(({ parent }) => parent === outer);
}

function keysBelow(outer: AnyStateNode, inner: AnyStateNode): string {
  return inner.path.slice(outer.path.length).join('.') || inner.key;
}

function eventName(event: string, { id, after, invoke }: AnyStateNode): string {
  const delay = after.find(({ eventType }) => eventType === event)?.delay;
  if (typeof delay === 'number') return `after ${delay} ms`;
  if (delay !== undefined) return `after ${typeof delay === 'string' ? delay : 'inline'}`;
  if (event === `xstate.done.state.${id}`) return 'done';
  for (const { id, src } of invoke) {
    const name = typeof src === 'string' ? src : id;
    if (event === `xstate.done.actor.${id}`) return `done ${name}`;
    if (event === `xstate.error.actor.${id}`) return `error ${name}`;
    if (event === `xstate.snapshot.${id}`) return `snapshot ${name}`;
  }
  return event === '*' ? 'any event' : event;
}

function guardOf({ guard }: AnyTransitionDefinition): string {
  return guard === undefined ? '' : `[${guardName(guard)}]`;
}

function guardName(guard: unknown): string {
  const { guards, type, name } = guard as { guards?: unknown[]; type?: string; name?: string };
  if (guards === undefined) return nameOf(guard, type, name, 'guard');
  return `${name}(${guards.map(guardName).join(', ')})`;
}

function actionsOf({ actions }: AnyTransitionDefinition): string {
  const names = actions.map((action: unknown) => {
    const { type, name } = action as { type?: string; name?: string };
    return nameOf(action, type, name, 'action');
  });
  return names.length === 0 ? '' : `/ ${names.join(', ')}`;
}

/** `assign` and the like are functions with a type; one that was written in place has the name of its key. */
function nameOf(what: unknown, type: string | undefined, name: string | undefined, key: string): string {
  if (typeof what === 'string') return what;
  if (type !== undefined) return type.replace(/^xstate\./, '');
  return name === undefined || name === '' || name === key || name === `${key}s` ? 'inline' : name;
}

/** Letters, digits and underscores of the path, which no two states share. */
function idOf({ path }: AnyStateNode): string {
  const part = (key: string): string =>
    key.replaceAll(/[^A-Za-z0-9]/g, (character) => `_${character.codePointAt(0)?.toString(16)}_`);
  return `s_${path.map(part).join('__')}`;
}

/** What means something to Mermaid as its entity code. */
function escaped(text: string): string {
  return text.replaceAll(/["#;:<>{}\\\n\r]/g, (character) => `#${character.codePointAt(0)};`);
}

function indent(depth: number): string {
  return '  '.repeat(depth);
}
