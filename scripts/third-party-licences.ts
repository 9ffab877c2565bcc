// Writes dist/THIRD-PARTY-LICENSES.md: the licences of the packages whose code stands in files of dist/, as their source maps say.
import { globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);

const sources = globSync('dist/**/*.js.map', { cwd: root }).flatMap(
  (path) => (JSON.parse(readFileSync(new URL(path, root), 'utf8')) as { sources: string[] }).sources,
);
const names = new Set(
  sources.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []),
);
const found = [...names].toSorted().map((name) => {
  const folder = new URL(`node_modules/${name}/`, root);
  const { version, license } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
    version: string;
    license: string;
  };
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file));
  return {
    name,
    version,
    license,
    texts: files.map((file) => readFileSync(new URL(file, folder), 'utf8').trim()),
  };
});
const sections = found.map(({ name, version, license, texts }) => {
  const other = found.find((one) => one.license === license && one.texts.length > 0);
  if (other === undefined)
    throw new Error(`nothing has the text of ${license}, under which ${name} stands in dist/`);
  const text =
    texts.length > 0
      ? `\`\`\`text\n${texts.join('\n\n')}\n\`\`\``
      : `Its text is that of ${other.name}, in this file.`;
  return `## ${name} ${version} (${license})\n\n${text}\n`;
});
const intro = `# Licences of what Holdfast contains

Code of these packages stands in the files of this folder.
`;
writeFileSync(new URL('dist/THIRD-PARTY-LICENSES.md', root), [intro, ...sections].join('\n'));
