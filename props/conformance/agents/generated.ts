import { fromTransition, type AnyActorLogic } from 'xstate';
import { replyTo } from 'holdfast/agent';
import { buildMachine } from '../build-machine.ts';
import type { Chart } from '../chart.ts';

// XState's development build warns of what charts do wrong, and they do much wrong; it is the same on both sides.
console.warn = () => {};

/**
 * The machine of the chart that was loaded last: an ordinary export of an ordinary module, found like any other
 * when an instance starts. Only that an export may change, which saves a module for each chart.
 */
// oxlint-disable-next-line import/no-mutable-exports
export let machine: AnyActorLogic = fromTransition((state: null) => state, null);

/** Brings on the next chart. */
export const manager = fromTransition((state: null, event: { type: 'load'; chart: Chart }) => {
  if (event.type !== 'load') return state;
  machine = buildMachine(event.chart);
  replyTo(event, 'loaded');
  return state;
}, null);
