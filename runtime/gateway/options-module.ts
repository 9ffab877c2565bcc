import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gatewayProblem } from '../config/gateway-files.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import type { RuntimeOptions } from '../runtime.ts';
import { checkRuntimeOptions } from '../system/runtime-options-check.ts';
import { exportNames, exportOf, type UserModule } from '../base/user-module.ts';

/**
 * The default export of the module in `gateway.options`; nothing without one.
 *
 * @throws {ConfigError} when the module cannot be loaded, or exports something else than options
 */
export async function optionsOf(
  { gateway }: Pick<LoadedConfig, 'gateway'>,
  file: string,
): Promise<RuntimeOptions> {
  if (gateway?.options === undefined) return {};
  const why = (message: string): Promise<Error> => gatewayProblem(file, ['options'], message);
  let module: UserModule;
  try {
    module = (await import(pathToFileURL(resolve(dirname(file), gateway.options)).href)) as UserModule;
  } catch (error) {
    throw await why(
      `${gateway.options} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const options = exportOf(module, 'default');
  if (options === undefined) {
    const names = exportNames(module).join(', ') || 'nothing';
    throw await why(
      `${gateway.options} has no default export, it exports ${names}; write export default { … } with RuntimeOptions`,
    );
  }
  try {
    if (options instanceof Promise) throw new TypeError('a promise; await it there');
    if (typeof options === 'function') throw new TypeError('a function; export what it returns');
    if (options === null) throw new TypeError('null; leave gateway.options out when there are none');
    checkRuntimeOptions(options);
  } catch (error) {
    throw await why(
      `the default export of ${gateway.options} is not valid RuntimeOptions: ${(error as Error).message}`,
    );
  }
  return options;
}
