import type { ResolvedPool } from '../config/resolve.ts';

/**
 * The options of the host's Node that change what code means or what Node tells about it, and that threads need, too. Other
 * options do not apply to threads, are for the whole process, or would weaken a closed pool.
 */
const flags = new Set([
  '--deprecation',
  '--enable-source-maps',
  '--experimental-addon-modules',
  '--experimental-detect-module',
  '--experimental-import-meta-resolve',
  '--experimental-import-text',
  '--experimental-require-module',
  '--experimental-strip-types',
  '--experimental-transform-types',
  '--experimental-wasm-modules',
  '--pending-deprecation',
  '--preserve-symlinks',
  '--require-module',
  '--strip-types',
  '--throw-deprecation',
  '--trace-deprecation',
  '--trace-uncaught',
  '--trace-warnings',
  '--warnings',
]);
const withValue = new Set(['-C', '--conditions', '--disable-warning']);

/** The options that give an agent more than the language: for pools that are not closed. */
const openFlags = new Set([
  '--experimental-eventsource',
  '--experimental-sqlite',
  '--experimental-vm-modules',
  '--experimental-websocket',
  '--experimental-webstorage',
  '--use-env-proxy',
  '--use-system-ca',
]);
/**
 * The options that name code to run before the thread's own. A thread with permissions gets none of them: such code would
 * run before the thread is closed, and from files of the host that the thread has no business to read.
 */
const preloads = new Set(['--import', '--require', '-r', '--loader', '--experimental-loader']);

/** Returns the options that a thread inherits, in their order. */
export function inheritedExecArgv(
  options: readonly string[],
  isolation: ResolvedPool['isolation'],
): string[] {
  const isOpen = isolation === 'thread';
  const kept: string[] = [];
  for (let i = 0; i < options.length; i++) {
    const option = options[i] as string;
    const name = nameOf(option);
    const flag = name.replace(/^--no-/, '--');
    if (flags.has(flag) || (isOpen && openFlags.has(flag))) kept.push(option);
    if (!withValue.has(name) && !preloads.has(name)) continue;
    const whole = option.includes('=') ? [option] : [option, options[++i] ?? ''];
    if (withValue.has(name) || isOpen) kept.push(...whole);
  }
  return kept;
}

/** Returns the name of an option with `-` for `_`, which Node treats alike. */
function nameOf(option: string): string {
  const [name = ''] = option.split('=', 1);
  return name.startsWith('--') ? name.replaceAll('_', '-') : name;
}

/** Splits `NODE_OPTIONS` into options as Node does: at blanks, except between double quotes. */
export function optionsIn(text: string | undefined = ''): string[] {
  const options: string[] = [];
  let option: string | undefined;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    let character = text[i] as string;
    if (character === ' ' && !isQuoted) {
      if (option !== undefined) options.push(option);
      option = undefined;
      continue;
    }
    if (character === '"') {
      isQuoted = !isQuoted;
      continue;
    }
    // A backslash escapes the next character, between quotes alone.
    if (character === '\\' && isQuoted) character = text[++i] ?? '';
    option = (option ?? '') + character;
  }
  if (option !== undefined) options.push(option);
  return options;
}
