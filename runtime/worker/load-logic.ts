import type { AnyActorLogic } from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import { exportNames, exportOf, type UserModule } from '../base/user-module.ts';
import { contractOf, type Contract } from './contract.ts';
import { migrationsOf, type Migrations } from './migrations.ts';

/** What an agent's module exports for it. */
export interface LoadedAgent {
  readonly logic: AnyActorLogic;
  /** Undefined when the module exports no schemas. */
  readonly contract: Contract | undefined;
  /** Undefined when the module exports none. */
  readonly migrations: Migrations | undefined;
  /** What the module exports now: a module may give its export another value. Throws like {@link loadLogic}. */
  readonly latest: () => LoadedAgent;
}

/** Imports the module of the agent at `address` (once a thread) and returns what it exports for it. */
export async function loadLogic(
  moduleUrl: string,
  exportName: string,
  address: string,
): Promise<LoadedAgent> {
  return loadedFrom(await importModule(moduleUrl, address), moduleUrl, exportName, address);
}

function loadedFrom(module: UserModule, moduleUrl: string, exportName: string, address: string): LoadedAgent {
  const logic = exportOf(module, exportName, isLogic);
  if (isLogic(logic)) {
    const agent: LoadedAgent = {
      logic,
      contract: contractOf(module, moduleUrl),
      migrations: migrationsOf(module, moduleUrl),
      latest: () =>
        exportOf(module, exportName, isLogic) === logic
          ? agent
          : loadedFrom(module, moduleUrl, exportName, address),
    };
    return agent;
  }
  const found = exportNames(module).map((name) => `"${name}"`);
  const what = logic === undefined ? 'does not exist' : 'is not XState actor logic';
  throw new HoldfastError(
    'AGENT_EXPORT_INVALID',
    `${address}: export "${exportName}" of ${moduleUrl} ${what}; the module exports ${found.join(', ') || 'nothing'}. ` +
      'Export a machine or other XState actor logic, or name it with "export" in the agent\'s config.',
  );
}

async function importModule(moduleUrl: string, address: string): Promise<UserModule> {
  try {
    return (await import(moduleUrl)) as UserModule;
  } catch (error) {
    // The error of a module often does not say which module it is about.
    const why = error instanceof Error ? error.message : 'it threw something that is not an Error';
    throw new HoldfastError(
      'AGENT_EXPORT_INVALID',
      `${address}: its module ${moduleUrl} cannot be loaded: ${why}`,
      { cause: error },
    );
  }
}

function isLogic(value: unknown): value is AnyActorLogic {
  if (typeof value !== 'object' || value === null) return false;
  const { transition, getInitialSnapshot } = value as Partial<AnyActorLogic>;
  return typeof transition === 'function' && typeof getInitialSnapshot === 'function';
}
