import { dirname } from 'node:path';
import { crossFindings } from '../config/checks.ts';
import { parseDocument } from '../config/document.ts';
import { type ConfigPath, entriesOf, type Finding, property, valueAt } from '../config/finding.ts';
import { maskValue } from '../config/excerpt.ts';
import { include } from '../config/includes.ts';
import { findingsOf } from '../config/issues.ts';
import { flatten } from '../config/piece.ts';
import { readText } from '../config/read-text.ts';
import { configError } from '../config/report.ts';
import { configSchema } from '../config/schema.ts';
import type { ConfigError } from '../base/errors.ts';
import type { AllGrants } from './new-config.ts';
import type { OldAgent } from './old-agents.ts';
import type { OldFiles } from './old-files.ts';
import { passagesOf } from './passages.ts';
import type { Search } from './search.ts';

/** A new config as it will be read. */
export interface Result {
  readonly root: unknown;
  /** What Holdfast has against it. */
  readonly findings: readonly Finding[];
}

/** Reads a config as it will be when `texts` are written, with what it includes, and checks all of it. */
export async function readResult(file: string, texts: ReadonlyMap<string, string>): Promise<Result> {
  const read = async (path: string): Promise<string | Finding> => texts.get(path) ?? readText(path);
  const text = await read(file);
  if (typeof text !== 'string') return { root: undefined, findings: [text] };
  const { piece, findings } = await include({ file, shown: file, document: parseDocument(text) }, read);
  if (piece === undefined) return { root: undefined, findings };
  const root = flatten(piece).value;
  const { error } = configSchema.safeParse(root);
  return {
    root,
    findings: [...findings, ...findingsOf(error?.issues ?? [], root), ...crossFindings(root, [])],
  };
}

/** What is to be in a new config, as it was printed. */
export interface Expected {
  readonly agents: readonly OldAgent[];
  readonly grants: AllGrants;
}

/** Where a new config is not what was printed; a thread that two agents share by mistake is nothing that a schema could see. */
export function differences({ root }: Result, { agents, grants }: Expected, old: OldFiles): Finding[] {
  const names = new Map(agents.map((agent) => [agent.name, agent]));
  const written = entriesOf(property(root, 'agents'));
  const missing = agents.filter(({ name }) => !written.some(([one]) => one === name));
  const wrong = written.filter(([name, agent]) => {
    const planned = names.get(name);
    if (planned === undefined) return true;
    const threadId =
      planned.form === 'own' ? valueAt(old.root, [...planned.path, 'threadId']) : planned.threadId;
    const labels = Object.keys(property(agent, 'secrets') ?? {});
    const lacks = Object.keys(grants.get(name) ?? {}).some((label) => !labels.includes(label));
    return property(agent, 'threadId') !== threadId || lacks;
  });
  return [...missing.map(({ name }) => name), ...wrong.map(([name]) => name)].map((name) => ({
    code: 'not-as-planned',
    path: ['agents', name],
    at: 'key' as const,
    message: 'this agent would not be what the plan says: please report it; nothing was changed',
  }));
}

/** The error for what is wrong with a new config, with the places in the old one: that is what a person has before them. */
export function resultError(
  findings: readonly Finding[],
  agents: readonly OldAgent[],
  { source, config }: OldFiles,
  search: Search,
): ConfigError {
  const placed = findings.map(({ code, path, at, message, related }): Finding => {
    const before = pathBefore(path, agents);
    return { code, path: before, at, message, ...(related && { related: pathBefore(related, agents) }) };
  });
  // A report shows lines of the files.
  const parts = source.parts.map(({ file, shown, document }) => {
    const hidden = passagesOf(document.text).filter(({ content }) => search.in(content).cuts.length > 0);
    return { file, shown, document: { ...document, masks: [...document.masks, ...hidden.map(maskValue)] } };
  });
  return configError({ ...source, parts, folder: dirname(config.file), hide: search.hide }, placed);
}

/** Where in the old config stood what stands at `path` in the new one. */
export function pathBefore(path: ConfigPath, agents: readonly OldAgent[]): ConfigPath {
  const [top, name, ...rest] = path;
  const agent = top === 'agents' ? agents.find((one) => one.name === name) : undefined;
  return agent === undefined ? path : [...agent.path, ...rest];
}
