/** What `import()` gives of a module that a user has written. */
export type UserModule = Readonly<Record<string, unknown>>;

/** A default export that was compiled twice, or passed on by a module that was compiled itself. */
const MOST_WRAPPED = 3;

/**
 * What a module exports under a name, however it was compiled. Node's `import()` of a CommonJS module has `module.exports` as
 * `default`, and of its fields those that it can see without running it; where TypeScript, Babel, SWC or esbuild have made
 * that of an ES module (`__esModule`), the default export is in there, under `default`. `isWanted` says of a value that it is meant
 * itself. Undefined when there is no such export.
 */
export function exportOf(
  module: UserModule,
  name: string,
  isWanted: (value: unknown) => boolean = () => false,
): unknown {
  const whole = module['module.exports'] ?? module['default'];
  const isCommonJs = 'module.exports' in module || isCompiled(whole);
  const found = !Object.hasOwn(module, name) && isCommonJs ? fieldOf(whole, name) : module[name];
  let value = found;
  for (let n = 0; n < MOST_WRAPPED && !isWanted(value); n += 1) {
    const inner = isCompiled(value) ? value['default'] : fieldOf(value, 'default');
    if (!isCompiled(value) && !isWanted(inner)) break;
    value = inner;
  }
  return value;
}

/** The names that {@link exportOf} finds something under. */
export function exportNames(module: UserModule): string[] {
  const whole = module['module.exports'] ?? (isCompiled(module['default']) ? module['default'] : undefined);
  const hidden = typeof whole === 'object' && whole !== null ? Object.keys(whole) : [];
  return [...new Set([...Object.keys(module), ...hidden])].filter(
    (name) => name !== '__esModule' && name !== 'module.exports',
  );
}

function isCompiled(value: unknown): value is UserModule {
  return typeof value === 'object' && value !== null && '__esModule' in value && 'default' in value;
}

function fieldOf(whole: unknown, name: string): unknown {
  const isHolder = (typeof whole === 'object' && whole !== null) || typeof whole === 'function';
  return isHolder && Object.hasOwn(whole, name) ? (whole as UserModule)[name] : undefined;
}
