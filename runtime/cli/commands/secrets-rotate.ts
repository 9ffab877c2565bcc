import { isUtf8 } from 'node:buffer';
import { rootSpan, withValueAt } from '../../../providers/json-text.ts';
import type { SecretProvider, SecretRef } from '../../../providers/provider.ts';
import { loadForGateway } from '../../config/load.ts';
import type { LoadedConfig } from '../../config/resolve.ts';
import { HoldfastError } from '../../base/errors.ts';
import { runningGateway } from '../../gateway/running.ts';
import { builtinProviders } from '../../../providers/builtin-providers.ts';
import { fieldSpan } from '../../../providers/field-span.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { configOf, request } from '../gateway-client.ts';
import type { Terminal } from '../terminal.ts';

export interface RotateOptions {
  readonly config?: string;
  readonly provider?: string;
  readonly jsonKey?: string;
  readonly json?: boolean;
}

/** What the largest provider takes: 64 KiB. */
const MOST_BYTES = 65_536;
/** A call to a provider, and the file system. */
const CALL_MS = 20_000;

/** Writes a new value, which is read from standard input, and has the gateway look at it, if one runs. */
export async function secretsRotate(
  id: string,
  options: RotateOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const file = configOf(options.config, terminal);
  const config = await loadForGateway(file);
  const ref = refOf(id, options, config);
  const { provider: alias } = ref;
  const declared = config.providers.find((one) => one.alias === alias);
  if (declared === undefined) {
    const known = config.providers.map((one) => one.alias).join(', ') || 'none';
    throw new HoldfastError('CONFIG_INVALID', `no provider is named ${alias}; the config declares: ${known}`);
  }
  const builtin = builtinProviders.get(declared.provider);
  const [problem] = (await builtin?.startProblems?.(declared.options, [id])) ?? [];
  if (problem !== undefined) throw new HoldfastError('CONFIG_INVALID', `${alias}: ${problem}`);
  const provider = builtin?.create(declared.options);
  if (provider?.put === undefined) {
    const message = `nothing can be written to ${alias} (${declared.provider}); change the secret where it comes from, then: holdfast secrets reload ${id}`;
    throw new HoldfastError('SECRET_DENIED', message);
  }
  const given = await newValue(terminal);
  provider.prepare?.([ref]);
  try {
    const value =
      options.jsonKey === undefined ? given : await withKey(provider, ref, options.jsonKey, given);
    const { versionId } = await provider.put(ref, value, AbortSignal.timeout(CALL_MS));
    value.fill(0);
    const isReloaded = await reload(file, { id, provider: alias }, terminal);
    if (options.json === true) {
      terminal.stdout.write(
        `${JSON.stringify({ ok: true, provider: alias, id, versionId, reloaded: isReloaded })}\n`,
      );
    } else {
      const now = versionId === undefined ? '' : `, now version ${versionId}`;
      const where = isReloaded
        ? 'The gateway has it.'
        : 'No gateway of this config is running; the next start reads it.';
      terminal.stdout.write(`Rotated ${alias}:${id}${now}. ${where}\n`);
    }
    return EXIT.ok;
  } finally {
    given.fill(0);
    await provider.close?.();
  }
}

/** As the grants have it that name the secret. */
function refOf(id: string, { provider }: RotateOptions, { agents }: LoadedConfig): SecretRef {
  const named = agents
    .flatMap(({ grants }) => grants)
    .filter((grant) => grant.id === id && (provider === undefined || grant.provider === provider));
  const aliases = [...new Set(named.map((grant) => grant.provider))];
  if (aliases.length > 1) {
    const message = `${id} is at ${aliases.join(' and ')}: say which with --provider`;
    throw new HoldfastError('CONFIG_INVALID', message);
  }
  const role = named.find((grant) => grant.role !== undefined)?.role;
  return { provider: provider ?? aliases[0] ?? 'default', id, ...(role !== undefined && { role }) };
}

/** Never from the command line, which others can read. */
async function newValue({ stdin }: Terminal): Promise<Buffer> {
  if (stdin === undefined || stdin.isTTY === true) {
    throw new HoldfastError(
      'CONFIG_INVALID',
      'give the new value on standard input: … | holdfast secrets rotate <id>',
    );
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const read = Buffer.from(chunk);
    bytes += read.length;
    if (bytes > MOST_BYTES)
      throw new HoldfastError('CONFIG_INVALID', `a secret has at most ${MOST_BYTES} bytes`);
    chunks.push(read);
  }
  const whole = Buffer.concat(chunks);
  // One that echo put there is not part of it.
  const value = whole.at(-1) === 0x0a ? whole.subarray(0, whole.at(-2) === 0x0d ? -2 : -1) : whole;
  if (value.length === 0)
    throw new HoldfastError('CONFIG_INVALID', 'the new value is empty; nothing was written');
  return value;
}

/** The JSON that the secret has, with one field changed, and every other byte as it was. */
async function withKey(
  provider: SecretProvider,
  ref: SecretRef,
  key: string,
  given: Buffer,
): Promise<Buffer> {
  const { bytes } = await provider.fetch(ref, {}, AbortSignal.timeout(CALL_MS));
  const name = `${ref.provider}:${ref.id}`;
  try {
    const span = fieldSpan(bytes, key);
    if (span === undefined) {
      const why = rootSpan(bytes) === undefined ? 'is not JSON' : `has no field ${key}`;
      throw new HoldfastError('SECRET_NOT_FOUND', `${name} ${why}; nothing was written`);
    }
    if (!isUtf8(given)) {
      const message = `${name} is JSON, which has text only, and the new value is not UTF-8; nothing was written`;
      throw new HoldfastError('CONFIG_INVALID', message);
    }
    const changed = withValueAt(bytes, span, given.toString('utf8'));
    if (changed !== undefined) return changed;
    const message = `the field ${key} of ${name} has several parts, and the new value is not JSON of that kind; nothing was written`;
    throw new HoldfastError('CONFIG_INVALID', message);
  } finally {
    bytes.fill(0);
  }
}

async function reload(
  file: string,
  secret: { id: string; provider: string },
  { env }: Terminal,
): Promise<boolean> {
  const running = await runningGateway(file, env);
  if (running === undefined) return false;
  await request(running, 'POST', '/v1/secrets/refresh', secret);
  return true;
}
