import type { AnyActorLogic } from 'xstate';
import { HoldfastError } from '../errors.ts';

/** Imports an agent's module (once a thread) and returns the actor logic it exports. */
export async function loadLogic(moduleUrl: string, exportName: string): Promise<AnyActorLogic> {
  const module = (await import(moduleUrl)) as Record<string, unknown>;
  const logic = module[exportName];
  if (isLogic(logic)) return logic;
  const found = Object.keys(module).map((name) => `"${name}"`);
  const what = logic === undefined ? 'does not exist' : 'is not XState actor logic';
  throw new HoldfastError(
    'AGENT_EXPORT_INVALID',
    `export "${exportName}" of ${moduleUrl} ${what}; the module exports ${found.join(', ') || 'nothing'}. ` +
      'Export a machine or other XState actor logic, or name it with "export" in the agent\'s config.',
  );
}

function isLogic(value: unknown): value is AnyActorLogic {
  if (typeof value !== 'object' || value === null) return false;
  const { transition, getInitialSnapshot } = value as Partial<AnyActorLogic>;
  return typeof transition === 'function' && typeof getInitialSnapshot === 'function';
}
