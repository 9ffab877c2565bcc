import { basename, dirname } from 'node:path';
import type { ConfigPath } from '../config/finding.ts';
import { findModules } from '../config/modules.ts';
import { plainText, printPath } from '../config/received.ts';
import { auditFiles } from '../secrets-audit/audit.ts';
import { strangersOf } from './agent-forms.ts';
import type { Change } from './change.ts';
import type { Result } from './check-result.ts';
import type { OldAgent } from './old-agents.ts';
import { type OldFiles, placeIn } from './old-files.ts';
import type { OldProviders } from './old-providers.ts';
import type { StandIn } from './old-references.ts';
import type { Proposal } from './proposed-grants.ts';
import { GAP, REMOVED } from './spans.ts';

/** What is known of a migration. */
export interface Known {
  readonly old: OldFiles;
  readonly changes: readonly Change[];
  readonly proposals: readonly Proposal[];
  readonly agents: readonly OldAgent[];
  readonly providers: OldProviders;
  readonly standIns: readonly StandIn[];
  readonly removed: readonly Removed[];
  readonly left: readonly Strange[];
  readonly doubts: readonly string[];
  readonly disputed: readonly string[];
  readonly result: Result;
}

/** What only a person can do, a line each; what stands somewhere has its file and line. */
export async function todosOf(known: Known): Promise<string[]> {
  const { old, left, doubts } = known;
  const at = (path: ConfigPath, what: string): string => `${old.placeOf(path)} ${printPath(path)} ${what}`;
  const ofAgents = known.agents.flatMap((agent) => ofAgent(agent, old));
  const isOld = known.agents.some(({ form }) => form !== 'own');
  const strangers = isOld
    ? strangersOf(old.root).map((path) => at(path, 'is not an agent, and was taken out of the config'))
    : [];
  const providers = known.providers.left.map(({ path, why }) =>
    at(
      path,
      `was taken out of the config: ${plainText(why)}. Declare a provider that has its secrets, and grant them`,
    ),
  );
  const options = known.providers.dropped.map((path) =>
    at(path, 'is not an option of that provider, and was taken out of the config'),
  );
  const strange = left.map(({ path, why }) => at(path, `was taken out of the config: ${plainText(why)}`));
  const standIns = known.standIns
    .filter(({ keys }) => !isOfGateway(keys))
    .map(({ keys, what }) => at(keys, what));
  const marked = old.credentials.flatMap(({ keys = [] }) =>
    keys[0] === 'secrets' && typeof keys.at(-1) === 'number'
      ? [at(keys, 'was a credential: a mark stands there now; give it to the program in another way')]
      : [],
  );
  const maybe = doubts.map(
    (place) =>
      `${place} has what may be one of the credentials, and may be something else: look at it, and change it if it is`,
  );
  const disputed = known.disputed.map(
    (place) =>
      `${place} stays: Node and dotenv read it in two ways. Write it in one pair of quotes, and migrate again`,
  );
  const unread = old.unread.map(({ file, why }) => `look into ${basename(file)} yourself: ${why}`);
  return [
    ...(await modulesOf(known)),
    ...new Set([
      ...ofAgents,
      ...strangers,
      ...providers,
      ...options,
      ...strange,
      ...grantsOf(known.proposals),
      ...standIns,
      ...marked,
      ...maybe,
      ...disputed,
      ...(await residueOf(known)),
      ...unread,
      ...withoutKey(known),
      ...lostIn(known.changes),
    ]),
  ];
}

async function modulesOf({ result, old }: Known): Promise<string[]> {
  const { findings } = await findModules(result.root, dirname(old.config.file));
  return findings.map(({ path }) => {
    const name = plainText(String(path[1]));
    return `write agents/${name}.ts: the module of the agent ${name}`;
  });
}

function ofAgent({ name, path, renamed }: OldAgent, old: OldFiles): string[] {
  if (renamed === undefined) return [];
  const { from, why, by } = renamed;
  const [was, is] = [plainText(from), plainText(name)];
  const reason =
    why === 'reserved' || by === undefined
      ? `cannot be the name of an agent`
      : `is the name of another agent, at ${old.placeOf(by)}`;
  return [`${old.placeOf(path)} ${was} ${reason}: this one is the agent ${is} now; rename it, if you like`];
}

function grantsOf(proposals: readonly Proposal[]): string[] {
  return (
    proposals
      .filter(({ grant, agents }) => grant === undefined || agents.length === 0)
      // That is who may come in, and nothing that an agent uses.
      .filter(({ secret }) => !isOfGateway(secret.keys ?? []))
      .map(({ secret, grant, agents }) => {
        const { provider, id } = secret.ref;
        const who = agents.length === 0 ? 'the agents that need it' : agents.map(plainText).join(', ');
        const how = grant === undefined ? ', with its hosts' : '';
        return `grant ${provider}:${plainText(id)} to ${who}${how}: nothing may use it until then (${secret.place})`;
      })
  );
}

/** What an audit still finds in what is there afterwards. */
async function residueOf({ old, changes, disputed }: Known): Promise<string[]> {
  const after = new Map(changes.map(({ file, after: text }) => [file, text]));
  const files = old.files.map((one) => Object.assign({}, one, { text: after.get(one.file) ?? one.text }));
  const { findings } = await auditFiles({ files: [...files, ...old.state], unread: [] });
  const kinds = new Map(files.map(({ file, kind }) => [file, kind]));
  return (
    findings
      .filter(({ code }) => code !== 'PLACEHOLDER_VALUE')
      // Of that a line says more.
      .filter(({ jsonPath }) => !disputed.some((one) => one.endsWith(` ${plainText(jsonPath ?? '')}`)))
      .map(({ file, line, jsonPath }) => {
        const place = placeIn(file, line, old.config.file);
        if (kinds.get(file) === 'text')
          return `${place} still has a credential, and is not a config: delete it`;
        return `${place} ${plainText(jsonPath ?? '')} still has what looks like a credential: look at it, and put it where a provider reads it`;
      })
  );
}

/** What the config no longer has. */
function withoutKey({ removed }: Known): string[] {
  if (removed.length === 0) return [];
  const all = removed.map(({ place, path }) => `${place} ${printPath(path)}`).join(', ');
  return [`what the config no longer has is in its backup; see what of it your agents need: ${all}`];
}

function lostIn(changes: readonly Change[]): string[] {
  const isLost = changes.some(({ after }) => after.includes(REMOVED) || after.includes(GAP));
  return isLost
    ? [
        `where it says "${REMOVED}" or "${GAP}", a comment or a text had one: the old file is kept, see --undo`,
      ]
    : [];
}

function isOfGateway([top]: ConfigPath): boolean {
  return top === 'gateway';
}

/** A key that leaves a config. */
export interface Removed {
  readonly path: ConfigPath;
  /** `openclaw.json:12` */
  readonly place: string;
}

/** A member of an old config that leaves it since ours could not read it. */
export interface Strange {
  readonly path: ConfigPath;
  readonly why: string;
}
