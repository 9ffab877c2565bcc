// Writes docs/api: the API reference, a page for each entry point, made of the doc comments. Its tools need a TypeScript
// that has an API for programs, and are no dependencies of ours: they are installed here from their own lockfile.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { anchorsOf } from '../../docs/anchors.fixture.ts';
import { installLocked } from '../install-locked.ts';

/** What is used of TypeDoc, which is not there before it is installed. */
interface TypeDoc {
  readonly Application: {
    bootstrapWithPlugins(options: object): Promise<{
      convert(): Promise<{ readonly children?: readonly { name: string }[] } | undefined>;
      generateOutputs(project: object): Promise<void>;
    }>;
  };
}

const here = new URL('./', import.meta.url);
const root = new URL('../../', here);
const out = new URL('docs/api/', root);

installLocked(here);
rmSync(out, { recursive: true, force: true });
const { Application } = (await import(new URL('node_modules/typedoc/dist/index.js', here).href)) as TypeDoc;
process.chdir(fileURLToPath(root));
const app = await Application.bootstrapWithPlugins({
  tsconfig: fileURLToPath(new URL('tsconfig.json', here)),
  plugin: [fileURLToPath(new URL('node_modules/typedoc-plugin-markdown/dist/index.js', here))],
  entryPoints: [
    'runtime/index.ts',
    'runtime/worker/agent.ts',
    'runtime/client/index.ts',
    'runtime/client/react.ts',
    'runtime/cluster/index.ts',
    'runtime/testing/index.ts',
    'runtime/config/index.ts',
  ],
  readme: 'none',
  name: 'holdfast',
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  githubPages: false,
  validation: { notExported: false, invalidLink: false },
  logLevel: 'Error',
  skipErrorChecking: true,
  outputs: [{ name: 'markdown', path: fileURLToPath(out) }],
  outputFileStrategy: 'modules',
  entryFileName: 'README',
  hideBreadcrumbs: true,
  hidePageHeader: true,
  useCodeBlocks: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  enumMembersFormat: 'table',
});
const project = await app.convert();
if (project === undefined) process.exit(1);
const pages = new Map([
  ['index', 'holdfast'],
  ['worker/agent', 'holdfast-agent'],
  ['client', 'holdfast-client'],
  ['client/react', 'holdfast-client-react'],
  ['cluster', 'holdfast-cluster'],
  ['testing', 'holdfast-testing'],
  ['config', 'holdfast-config'],
]);
for (const module of project.children ?? []) {
  module.name = pages.get(module.name.replace(/\/index$/, '')) ?? module.name;
}
await app.generateOutputs(project);
const texts = new Map(
  [...pages.values()].map((name) => [`${name}.md`, readFileSync(new URL(`${name}.md`, out), 'utf8')]),
);
const anchors = new Map([...texts].map(([page, text]) => [page, new Set(anchorsOf(text))]));
for (const [page, text] of texts) {
  const titled = text.replace(/^# \S+/, `# ${page.slice(0, -3).replaceAll('-', '/')}`);
  // Some links lead to members that have no place of their own: what they say stays.
  const linked = titled.replaceAll(
    /\[([^\]]*)\]\(([\w-]*\.md)?#([\w-]+)\)/g,
    (link, what, to = page, anchor) => (anchors.get(to)?.has(anchor) === true ? link : what),
  );
  writeFileSync(new URL(page, out), linked);
}
writeFileSync(
  new URL('README.md', out),
  `# API reference

Made of the doc comments by \`npm run docs:api\`; not to be edited here.

- [holdfast](holdfast.md): the host: \`createRuntime\` and all that it gives
- [holdfast/agent](holdfast-agent.md): what an agent needs, in its thread
- [holdfast/client](holdfast-client.md): a gateway, for browsers and programs
- [holdfast/client/react](holdfast-client-react.md): the same for components of React
- [holdfast/cluster](holdfast-cluster.md): one of several nodes over a database
- [holdfast/testing](holdfast-testing.md): a runtime in a test
- [holdfast/config](holdfast-config.md): reading and checking configs
`,
);
