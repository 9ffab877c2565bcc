import module, { type ResolveHookSync } from 'node:module';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '../base/errors.ts';
import type { ThreadData } from '../wire/protocol.ts';
import { ADMITTED, TAKEN } from './builtins.ts';

/* oxlint-disable typescript/unbound-method -- bound here, or free of `this` */
// Taken before any agent is loaded: what the guards call later is not what an agent may have put in its place.
const { call } = Function.prototype;
const startsWith = call.bind(String.prototype.startsWith) as (text: string, start: string) => boolean;
const slice = call.bind(String.prototype.slice) as (text: string, from: number) => string;
const admits = ADMITTED.has.bind(ADMITTED);
const { create, defineProperty, hasOwn, keys } = Object;
const toPath = fileURLToPath;
const { isBuiltin, syncBuiltinESMExports: syncExports } = module;
const builtin = process.getBuiltinModule;
/* oxlint-enable typescript/unbound-method */

/** The functions of the process that agents must not call, because their thread is a part of it. */
const TAKEN_OF_PROCESS = ['_kill', '_linkedBinding', 'binding', 'dlopen', 'kill'];

/**
 * Closes in this thread, when its pool is to be closed, what Node's permission model leaves open: modules of Node that
 * go around it, files outside of what may be read as modules, signals, the report that holds the host's environment,
 * and V8's flags. It lasts, and happens before any agent is loaded. `docs/isolation.md` lists what it does not close.
 *
 * @throws {HoldfastError} `ISOLATION_UNAVAILABLE` when the thread was not started with the permission model.
 */
export function lockdown({ isolation = 'thread' }: Pick<ThreadData, 'isolation'>): void {
  if (isolation === 'thread') return;
  // Absent without the model, which Node's types do not say.
  const { permission } = process as { permission?: typeof process.permission };
  if (permission === undefined) {
    throw new HoldfastError(
      'ISOLATION_UNAVAILABLE',
      'a thread of a closed pool was started without the permission model of Node; use Node 22.18 or later',
    );
  }
  const mayRead = permission.has.bind(permission, 'fs.read');
  const admitted = create(null) as Record<string, true>;

  /** Throws unless the module of Node with that name, without `node:`, may be imported. */
  function admit(name: string): void {
    if (admitted[name]) return;
    if (!admits(name)) throw denied(`importing node:${name}`, name);
    if (hasOwn(TAKEN, name)) takeFrom(name, TAKEN[name] as readonly string[]);
    // Set last, so that an import that an agent made fail half-way does not count.
    admitted[name] = true;
  }

  const resolve: ResolveHookSync = (specifier, context, nextResolve) => {
    const found = nextResolve(specifier, context);
    const { url } = found;
    if (startsWith(url, 'node:')) admit(slice(url, 5));
    else if (startsWith(url, 'file:')) {
      const path = toPath(url);
      if (!mayRead(path)) throw denied('loading a module from outside of what the pool may read', path);
    }
    return found;
  };
  module.registerHooks({ resolve });
  admit('module');
  replace(process, 'getBuiltinModule', (name: string) => {
    if (isBuiltin(name)) admit(startsWith(name, 'node:') ? slice(name, 5) : name);
    return builtin(name) as unknown;
  });
  for (const name of TAKEN_OF_PROCESS) {
    if (name in process) replace(process, name, refusal(`process.${name}`));
  }
  // Absent rather than refusing, because libraries ask whether the functions are there.
  replace(process, 'report', undefined);
  replace(process, 'loadEnvFile', undefined);
  syncExports();
}

function takeFrom(name: string, members: readonly string[]): void {
  const exported = name === 'module' ? module : builtin(`node:${name}`);
  const all = members[0] === '*' ? keys(exported as object) : members;
  for (let i = 0; i < all.length; i++) {
    const member = all[i] as string;
    const present = typeof (exported as unknown as Record<string, unknown>)[member] === 'function';
    if (present) replace(exported as object, member, refusal(`${member} of node:${name}`));
  }
  syncExports();
}

function replace(target: object, name: string, value: unknown): void {
  // Without a prototype, on which an agent may have put a `get`.
  const descriptor = create(null) as PropertyDescriptor;
  descriptor.value = value;
  descriptor.writable = descriptor.configurable = false;
  descriptor.enumerable = true;
  defineProperty(target, name, descriptor);
}

/** A function that can be extended and constructed, as some packages do with functions that they never call. */
function refusal(what: string): () => never {
  return function refused(): never {
    throw denied(what);
  };
}

/** An error like those of Node's permission model. */
function denied(what: string, resource?: string): Error {
  const error = new Error(
    `${what} is not allowed in a thread with isolation thread+permissions; see docs/isolation.md of Holdfast`,
  );
  return Object.assign(error, { code: 'ERR_ACCESS_DENIED', ...(resource !== undefined && { resource }) });
}
