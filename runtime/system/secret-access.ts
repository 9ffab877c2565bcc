import type { Instance } from '../instance/instance.ts';
import type { SecretsBroker } from '../secrets/broker.ts';
import { seenIn } from '../secrets/secret-event.ts';
import { secretRequest, streamRequest } from '../secrets/thread-request.ts';
import { SeenMark } from '../store/seen-mark.ts';
import type { MessageTelemetry } from '../telemetry/messages.ts';
import type { EventHub } from '../telling/runtime-events.ts';
import type { OpenStream } from '../threads/secret-streams.ts';
import type { UseSecret } from '../threads/secret-uses.ts';

export interface SecretAccessOptions {
  readonly secrets: () => Pick<SecretsBroker, 'open' | 'stream'> & Parameters<typeof secretRequest>[0];
  readonly messages: Pick<MessageTelemetry, 'secretUse'>;
  readonly hub: EventHub;
}

/** The access of instances to secrets: their grants, and the uses that the host makes of secrets on their behalf. */
export class SecretAccess {
  readonly #options: SecretAccessOptions;

  constructor(options: SecretAccessOptions) {
    this.#options = options;
  }

  /** Gives the incarnation the grants of its agent; tells it, and listeners to the runtime, of each change. */
  readonly open = (instance: Instance): void => {
    const { secrets, hub } = this.#options;
    const { address, incarnation, agent, continues } = instance;
    const { seen } = instance.continuation;
    const holder = { address, incarnation, pool: agent.threadId, continues, seen };
    secrets().open(holder, agent.grants, (event) => {
      instance.inbox.acceptControl(event, seen && new SeenMark(seenIn(event)));
      const { type, label, epoch, versionId, cause } = event;
      const version = versionId === undefined ? {} : { versionId };
      hub.emit('secret', { type, address, label, epoch, ...version, cause });
    });
  };

  readonly use: UseSecret = (caller, use, input, ending, headers) => {
    const { secrets, messages } = this.#options;
    return messages.secretUse({ caller, use, input, headers }, () =>
      secretRequest(secrets(), caller, use, input, ending),
    );
  };

  readonly stream: OpenStream = (caller, input, ending, upload, headers) => {
    const { secrets, messages } = this.#options;
    return messages.secretUse({ caller, use: 'stream', input, headers }, () =>
      streamRequest(secrets(), caller, input, ending, upload),
    );
  };
}
