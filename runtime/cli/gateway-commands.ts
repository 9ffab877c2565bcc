import type { Command } from 'commander';
import {
  agentsAsk,
  agentsInspect,
  agentsList,
  agentsResume,
  agentsSend,
  agentsStart,
  agentsStop,
} from './commands/agents.ts';
import {
  clusterNodes,
  deadLettersList,
  deadLettersReplay,
  inspect,
  secretsList,
  secretsReload,
  threads,
} from './commands/running.ts';
import { DEFAULT_CONFIG } from './config-file.ts';
import type { ExitCode } from './exit-codes.ts';
import type { GatewayOptions } from './gateway-client.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

type Ending = <A extends unknown[]>(
  run: (...args: A) => ExitCode | Promise<ExitCode>,
) => (...given: A) => Promise<void>;

type Options = GatewayOptions & {
  readonly json?: boolean;
  readonly activate?: boolean;
  readonly paused?: boolean;
  readonly timeout?: string;
};

/** The commands of a gateway, and those that ask one that runs. */
export function addGatewayCommands(
  program: Command,
  secrets: Command,
  ending: Ending,
  terminal: Terminal,
): void {
  const own = (command: Command): Command =>
    command
      .option('-c, --config <file>', `the config (default: ${DEFAULT_CONFIG})`)
      .option('--json', 'as JSON');
  const asking = (command: Command): Command =>
    own(command).option('--url <url>', 'another gateway; its token is in HOLDFAST_TOKEN');
  // What a front needs is loaded for those alone who want one.
  const load = () => import('./commands/gateway.ts');

  const gateway = program
    .command('gateway')
    .description('serve the agents over HTTP, and restart without a lost request');
  const pausable = (command: Command): Command =>
    own(command).option('--paused', 'agents handle nothing until gateway resume');
  pausable(
    gateway.command('run').description('in the foreground, for systemd and containers; logs JSON lines'),
  ).action(ending(async (options: Options) => (await load()).gatewayRun(options, terminal)));
  pausable(gateway.command('start').description('in the background; returns once it serves')).action(
    ending(async (options: Options) => (await load()).gatewayStart(options, terminal)),
  );
  own(gateway.command('stop').description('let the agents finish what they were sent, and end')).action(
    ending(async (options: Options) => (await load()).gatewayStop(options, terminal)),
  );
  own(
    gateway
      .command('restart')
      .description('a new process takes over, agents with their states; start it when none runs')
      .option(
        '--force',
        'also with code that states in the store do not fit: their instances are quarantined',
      ),
  ).action(
    ending(async (options: Options & { readonly force?: boolean }) =>
      (await load()).gatewayRestart(options, terminal),
    ),
  );
  asking(
    gateway.command('resume').description('have the agents of one that was started paused handle what comes'),
  ).action(ending(async (options: Options) => (await load()).gatewayResume(options, terminal)));
  asking(gateway.command('reload').description('have the config as it is now take effect')).action(
    ending(async (options: Options) => (await load()).gatewayReload(options, terminal)),
  );
  asking(
    gateway
      .command('status')
      .description('whether it is running and ready; exit code 1 when it is not running'),
  ).action(ending(async (options: Options) => (await load()).gatewayStatus(options, terminal)));
  gateway
    .command('token')
    .description('make a token for somebody else, and print what the config needs of it')
    .option('--name <name>', 'whose it is (default: desk)')
    .option('--json', 'as JSON')
    .action(
      ending(async (options: { name?: string; json?: boolean }) =>
        (await load()).gatewayToken(options, terminal),
      ),
    );

  const agents = program.command('agents').description('the instances of a running gateway');
  const event = 'JSON such as {"type":"tick"}, or the type alone';
  asking(agents.command('list').description('all of them')).action(
    ending((options: Options) => agentsList(options, terminal)),
  );
  asking(agents.command('start').description('start one, unless it runs'))
    .argument('<address>', 'agent/id')
    .argument('[input]', 'JSON')
    .action(
      ending((address: string, input: string | undefined, options: Options) =>
        agentsStart(address, input, options, terminal),
      ),
    );
  asking(agents.command('send').description('send an event; returns once it was handled'))
    .argument('<address>', 'agent/id')
    .argument('<event>', event)
    .option('--activate', 'start the instance if there is none')
    .action(
      ending((address: string, text: string, options: Options) =>
        agentsSend(address, text, options, terminal),
      ),
    );
  asking(agents.command('ask').description('send an event, and print the reply'))
    .argument('<address>', 'agent/id')
    .argument('<event>', event)
    .option('--activate', 'start the instance if there is none')
    .option('--timeout <ms>', 'milliseconds to wait (default: 5000)')
    .action(
      ending((address: string, text: string, options: Options) =>
        agentsAsk(address, text, options, terminal),
      ),
    );
  asking(agents.command('stop').description('stop one, after it has handled what it was sent'))
    .argument('<address>', 'agent/id')
    .action(ending((address: string, options: Options) => agentsStop(address, options, terminal)));
  asking(agents.command('resume').description('resume one that is quarantined'))
    .argument('<address>', 'agent/id')
    .action(ending((address: string, options: Options) => agentsResume(address, options, terminal)));
  asking(agents.command('inspect').description('print the state of one'))
    .argument('<address>', 'agent/id')
    .action(ending((address: string, options: Options) => agentsInspect(address, options, terminal)));

  asking(program.command('threads').description('the threads of a running gateway, by pool')).action(
    ending((options: Options) => threads(options, terminal)),
  );
  const cluster = program.command('cluster').description('the nodes that share a store');
  asking(
    cluster
      .command('nodes')
      .description(
        'where each is, what it has, and whether the node of this gateway reaches it; exit code 1 when it does not reach all',
      ),
  ).action(ending((options: Options) => clusterNodes(options, terminal)));
  const letters = program.command('dead-letters').description('events that were not handled');
  asking(letters.command('list').description('the last 1000 of the last hour')).action(
    ending((options: Options) => deadLettersList(options, terminal)),
  );
  asking(letters.command('replay').description('send one again; returns once it was handled'))
    .argument('<id>', 'of the letter')
    .action(ending((id: string, options: Options) => deadLettersReplay(id, options, terminal)));
  asking(program.command('inspect').description('a link to the page that shows all actors, or a record'))
    .argument('[record]', 'a file that --record has made: shown on this machine, without a gateway')
    .option('--record <file>', 'write what happens into a new file, until Ctrl-C')
    .action(
      ending(async (record: string | undefined, options: Options & { readonly record?: string }) => {
        if (record === undefined && options.record === undefined) return inspect(options, terminal);
        const { inspectRecord, recordTo } = await import('./commands/records.ts');
        if (record === undefined) return recordTo(options.record ?? '', options, terminal);
        if (options.record === undefined) return inspectRecord(record, options, terminal);
        throw new UsageError('give a record to look at, or --record <file> to make one');
      }),
    );

  asking(
    secrets.command('list').description('the secrets of a running gateway: versions and ages, no values'),
  ).action(ending((options: Options) => secretsList(options, terminal)));
  asking(secrets.command('reload').description('fetch secrets again now, after a manual rotation'))
    .argument('[id]', 'one of them (default: all)')
    .action(ending((id: string | undefined, options: Options) => secretsReload(id, options, terminal)));
}
