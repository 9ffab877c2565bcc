import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { moduleFindings } from '../doctor/modules.ts';
import { start } from '../fixtures/start.ts';
import { exportNames, exportOf, type UserModule } from './user-module.ts';

// Within the project, so that `xstate` is found.
const folder = mkdtempSync(join(import.meta.dirname, '..', 'fixtures', 'compiled-'));
afterAll(() => rmSync(folder, { recursive: true }));

const logic = (n: number): string =>
  `require('xstate').fromTransition((state, event) => {
    if (event.type === 'read') require('holdfast/agent').replyTo(event, ${n});
    return state;
  }, 0)`;
const marked = 'Object.defineProperty(exports, "__esModule", { value: true });';

/** What the compilers make of \`export default\`, and of a named export beside it. */
const outputs: Readonly<Record<string, string>> = {
  'tsc.cjs': `"use strict"; ${marked} exports.machine = void 0;
    exports.machine = ${logic(2)}; exports.default = ${logic(1)};`,
  'babel.cjs': `"use strict"; Object.defineProperty(exports, "__esModule", { value: true });
    exports.machine = exports.default = void 0;
    var _default = exports.default = ${logic(1)}; const machine = exports.machine = ${logic(2)};`,
  'swc.cjs': `"use strict"; ${marked}
    function _export(target, all) {
      for (var name in all) Object.defineProperty(target, name, { enumerable: true, get: Object.getOwnPropertyDescriptor(all, name).get });
    }
    _export(exports, { get default () { return _default; }, get machine () { return machine; } });
    const machine = ${logic(2)}; const _default = ${logic(1)};`,
  'esbuild.cjs': `"use strict"; var __defProp = Object.defineProperty;
    var stdin_exports = {};
    for (const [name, get] of [['default', () => one], ['machine', () => two]]) __defProp(stdin_exports, name, { get, enumerable: true });
    module.exports = __defProp(Object.assign(Object.create({}), Object.create(null)), '__esModule', { value: true });
    for (const name of Object.keys(stdin_exports)) __defProp(module.exports, name, { enumerable: true, get: () => stdin_exports[name] });
    const one = ${logic(1)}, two = ${logic(2)};`,
  'passed-on.cjs': `"use strict"; ${marked} exports.default = require('./tsc.cjs'); exports.machine = require('./tsc.cjs').machine;`,
  'by-hand.cjs': `const one = ${logic(1)}; one.machine = ${logic(2)}; module.exports = one;`,
  'hidden.cjs': `const all = { default: ${logic(1)}, ['mach' + 'ine']: ${logic(2)} }; ${marked} Object.assign(exports, all);`,
  'imported.mjs': `import whole from './tsc.cjs'; export default whole; export const { machine } = whole;`,
  'module.mjs': `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);
    export default ${logic(1)}; export const machine = ${logic(2)};`,
};
for (const [name, text] of Object.entries(outputs)) writeFileSync(join(folder, name), text);

const agent = (file: string, name?: string) =>
  ({
    type: 'thread-bound',
    threadId: 'compiled',
    maxThreads: 1,
    module: pathToFileURL(join(folder, file)),
    ...(name !== undefined && { export: name }),
  }) as const;

describe('the module of an agent', () => {
  test.each(Object.keys(outputs))('%s: its default and its named export are found', async (file) => {
    const runtime = await start({ agents: { byDefault: agent(file), byName: agent(file, 'machine') } });
    expect(await (await runtime.spawn('byDefault')).ask({ type: 'read' })).toBe(1);
    // Node 22 does not say of a module that it is CommonJS, and sees no field of a function.
    if (file === 'by-hand.cjs' && process.versions.node.startsWith('22.')) return;
    expect(await (await runtime.spawn('byName')).ask({ type: 'read' })).toBe(2);
  });

  test('is refused with what it exports, by the names that can be written', async () => {
    const runtime = await start({ agents: { wrong: agent('swc.cjs', 'nothing') } });
    await expect(runtime.spawn('wrong')).rejects.toMatchObject({
      code: 'AGENT_EXPORT_INVALID',
      message: expect.stringMatching(/does not exist; the module exports "default", "machine"\. /) as string,
    });
  });

  test('is what the doctor finds as well', async () => {
    const names = Object.keys(outputs);
    const agents = Object.fromEntries(names.map((file, n) => [`agent-${n}`, agent(file)]));
    const found = await moduleFindings(await loadConfig({ agents }));
    expect(found.map(({ severity }) => severity)).toEqual(names.map(() => 'ok'));
  });
});

describe('another module of a user', () => {
  const options = { capabilities: [] };
  test.each<[string, UserModule]>([
    ['an ES module', { default: options }],
    [
      'what a compiler made of one',
      { default: { __esModule: true, default: options }, 'module.exports': {} },
    ],
    ['the same on a Node that does not mark it', { default: { __esModule: true, default: options } }],
    ['CommonJS', { default: options, 'module.exports': options, capabilities: [] }],
  ])('%s has its default export', (_, module) => {
    expect(exportOf(module, 'default')).toBe(options);
  });

  test('has nothing that it has only inherited', () => {
    const whole = { default: 1, __esModule: true };
    const module = { default: whole, 'module.exports': whole };
    for (const name of ['toString', '__proto__', 'constructor'])
      expect(exportOf(module, name)).toBeUndefined();
    expect(exportNames(module)).toEqual(['default']);
  });

  test('that is an ES module exports nothing by a field of its default export', () => {
    expect(exportOf({ default: { machine: 1 } }, 'machine')).toBeUndefined();
  });
});
