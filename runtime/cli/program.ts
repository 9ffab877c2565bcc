import { Command, CommanderError, Option } from 'commander';
import { configJsonSchema } from '../config/json-schema.ts';
import { version } from '../base/version.ts';
import { bench } from './commands/bench.ts';
import { configExplain } from './commands/config-explain.ts';
import { configValidate, type ValidateOptions } from './commands/config-validate.ts';
import { doctor, type DoctorOptions } from './commands/doctor.ts';
import { explain, type ExplainOptions } from './commands/explain.ts';
import { init, type InitOptions } from './commands/init.ts';
import { migrate, type MigrateOptions } from './commands/migrate.ts';
import { secretsAudit, type AuditOptions } from './commands/secrets-audit.ts';
import {
  type ApplyOptions,
  type ConfigureOptions,
  secretsApply,
  secretsConfigure,
} from './commands/secrets-plan.ts';
import { secretsRotate, type RotateOptions } from './commands/secrets-rotate.ts';
import { status, type StatusOptions } from './commands/status.ts';
import { DEFAULT_CONFIG } from './config-file.ts';
import { ConfigError } from '../base/errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { GatewayError } from '../gateway/gateway-error.ts';
import { shownText } from '../base/shown-text.ts';
import { addGatewayCommands } from './gateway-commands.ts';
import { addStoreCommands } from './store-commands.ts';
import { templateNames } from './templates.ts';
import { guarded, type Terminal } from './terminal.ts';

/** Runs a command line, without the program's name; resolves with what to exit with. Never throws. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: ExitCode = EXIT.ok;
  const ending =
    <A extends unknown[]>(run: (...args: A) => ExitCode | Promise<ExitCode>) =>
    async (...given: A): Promise<void> => {
      code = await run(...given);
    };
  const shown = guarded(terminal);
  const isJson = args.includes('--json');
  const program = commands(ending, shown, isJson);
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const { code: name, message, retryable, isOthers } = failureOf(error);
    terminal.starter?.({ failed: { code: name, message } });
    if (isJson) {
      const problems = error instanceof ConfigError ? { problems: error.problems } : {};
      const document = { ok: false, error: { code: name, message, retryable }, ...problems };
      shown.stdout.write(`${JSON.stringify(document)}\n`);
    } else if (!(error instanceof CommanderError)) {
      shown.stderr.write(`${isOthers ? shownText(message) : message}\n`);
    }
    if (name === 'USAGE') return EXIT.usage;
    return name === 'CONFIG_INVALID' || name === 'AGENT_MODULE_NOT_FOUND' ? EXIT.config : EXIT.failed;
  }
}

interface Failure {
  readonly code: string | undefined;
  readonly message: string;
  readonly retryable: boolean;
  /** Somebody else than Holdfast said some of it: that stays in its line. */
  readonly isOthers: boolean;
}

/** What is said of an error. */
function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const said = error.code === 'commander.help' ? 'name a command; --help lists them' : error.message;
    return { code: 'USAGE', message: said.replace(/^error: /, ''), retryable: false, isOthers: false };
  }
  const { code, message, retryable } = (error instanceof Error ? error : new Error(String(error))) as {
    code?: string;
    message: string;
    retryable?: unknown;
  };
  const isOfConfig = code === 'CONFIG_INVALID' || code === 'AGENT_MODULE_NOT_FOUND';
  const isOthers = error instanceof GatewayError && error.isAnswer && !isOfConfig;
  return { code, message, retryable: retryable === true, isOthers };
}

type Ending = <A extends unknown[]>(
  run: (...args: A) => ExitCode | Promise<ExitCode>,
) => (...given: A) => Promise<void>;

function commands(ending: Ending, terminal: Terminal, isJson: boolean): Command {
  const { stdout, stderr } = terminal;
  const program = new Command('holdfast');
  program
    .description('Agents in threads, secrets in the host.')
    .version(version, '-V, --version', 'print the version')
    // `status --version` is the command's own.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      // With --json, what is wrong with the command line stands in the document.
      writeErr: (text) => void (isJson || stderr.write(text)),
    })
    .showSuggestionAfterError()
    .showHelpAfterError('(holdfast --help lists the commands)')
    .addHelpText(
      'after',
      `
Exit codes: ${EXIT.ok} all is well, ${EXIT.failed} something was found or failed, ${EXIT.usage} the command line is not valid, ${EXIT.config} the config is invalid.
`,
    );

  program
    .command('status')
    .description('the version, the config, and the agents and pools that it declares')
    .option('--version', 'print the version alone, also where there is no config')
    .option('--cluster', 'the nodes of the cluster of its gateway, each with what it says of itself')
    .option('--url <url>', 'with --cluster: another gateway; its token is in HOLDFAST_TOKEN')
    .option('-c, --config <file>', `the config (default: ${DEFAULT_CONFIG})`)
    .option('--json', 'as JSON')
    .action(ending((options: StatusOptions) => status(options, terminal)));

  program
    .command('init')
    .description('write a project that runs: a config, an agent, and a program')
    .argument('[folder]', 'where (default: here); existing files are left alone')
    .addOption(
      new Option(
        '--template <name>',
        'what it begins with: an agent that greets, or one that streams what a model says',
      )
        .choices(templateNames)
        .default('hello'),
    )
    .option('--json', 'as JSON')
    .action(ending((folder: string | undefined, options: InitOptions) => init(folder, options, terminal)));

  program
    .command('migrate')
    .description('turn an old config into one for Holdfast: agents in threads, credentials out of the files')
    .argument('[file]', `the config (default: ${DEFAULT_CONFIG})`)
    .option('--dry-run', 'print what would be done, and the new config; nothing is written')
    .option('--undo', 'put back what the last migration of the config changed')
    .option('--json', 'as JSON')
    .action(ending((file: string | undefined, options: MigrateOptions) => migrate(file, options, terminal)));

  const config = program.command('config').description('check a config, and look up what its keys mean');
  config
    .command('validate')
    .description('print every problem of a config at once; nothing is loaded or started')
    .argument('[file]', `the config (default: ${DEFAULT_CONFIG})`)
    .option('--no-modules', 'do not look for the modules of the agents')
    .option('--json', 'as JSON')
    .action(
      ending((file: string | undefined, options: ValidateOptions) => configValidate(file, options, terminal)),
    );
  config
    .command('schema')
    .description('print the JSON Schema of a config')
    .action(
      ending(() => {
        stdout.write(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
        return EXIT.ok;
      }),
    );
  config
    .command('explain')
    .description('what a key means, its default, and the keys below it')
    .argument('[key]', 'such as agents.*.mailbox; any name may stand for *')
    .option('--json', 'as JSON')
    .action(
      ending((key: string | undefined, options: { json?: boolean }) => configExplain(key, options, terminal)),
    );

  program
    .command('explain')
    .description('what the pools of a config keep apart on this Node: tries it, a moment for each pool')
    .option('-c, --config <file>', `the config (default: ${DEFAULT_CONFIG})`)
    .option('--check', 'exit with 1 when a pool is less closed than it is to be')
    .option('--json', 'as JSON')
    .action(ending((options: ExplainOptions) => explain(options, terminal)));

  program
    .command('doctor')
    .description(
      'look at what a start needs: Node, the config, modules in threads, isolation, secrets, the clock',
    )
    .option('-c, --config <file>', `the config (default: ${DEFAULT_CONFIG})`)
    .option('--json', 'as JSON')
    .action(ending((options: DoctorOptions) => doctor(options, terminal)));

  program
    .command('bench')
    .description('measure agents in threads on this machine, beside a bare worker; some seconds')
    .option('--json', 'as JSON')
    .action(ending((options: { json?: boolean }) => bench(options, terminal)));

  const secrets = program
    .command('secrets')
    .description('find credentials in plain text, and look at those in use');
  secrets
    .command('audit')
    .description('look for credentials in plain text; none of them is printed, and no provider is called')
    .argument(
      '[paths...]',
      `files and folders (default: ${DEFAULT_CONFIG}, what it includes, what lies beside it, backups, and logins of OpenClaw)`,
    )
    .option('--check', 'exit with 1 when something was found, or not looked at')
    .option('--json', 'as JSON')
    .action(ending((paths: string[], options: AuditOptions) => secretsAudit(paths, options, terminal)));

  secrets
    .command('configure')
    .description('write a plan for the credentials of a config: where each goes, and which agents may use it')
    .argument('[file]', `the config (default: ${DEFAULT_CONFIG})`)
    .option('--plan-out <file>', 'where to write it (default: print it)')
    .action(
      ending((file: string | undefined, options: ConfigureOptions) =>
        secretsConfigure(file, options, terminal),
      ),
    );
  secrets
    .command('apply')
    .description('carry out such a plan, with a backup and an undo, as migrate does')
    .requiredOption('--from <file>', 'the plan')
    .option('--dry-run', 'print what would be done; nothing is written')
    .option('--json', 'as JSON')
    .action(ending((options: ApplyOptions) => secretsApply(options, terminal)));

  secrets
    .command('rotate')
    .description(
      'write a new value, from standard input, to a file or to AWS; a running gateway uses it at once',
    )
    .argument('<id>', 'the secret, as a grant names it')
    .option('-c, --config <file>', `the config (default: ${DEFAULT_CONFIG})`)
    .option('--provider <alias>', 'where it is (default: as the grants say)')
    .option('--json-key <key>', 'change one field of a JSON value')
    .option('--json', 'as JSON')
    .action(ending((id: string, options: RotateOptions) => secretsRotate(id, options, terminal)));

  addStoreCommands(program, ending, terminal);
  addGatewayCommands(program, secrets, ending, terminal);
  return inherit(program);
}

/** Commander gives what was set up to commands that are made afterwards only in part. */
function inherit(program: Command): Command {
  for (const command of program.commands) {
    command.copyInheritedSettings(program);
    command.exitOverride();
    inherit(command);
  }
  return program;
}
