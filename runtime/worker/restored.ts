import type { AnyActorLogic, AnyActorRef } from 'xstate';
import type { ActivateRequest } from '../wire/protocol.ts';
import { failedRestore, notRestored } from '../xstate/restored-parts.ts';
import { incompatible, versionOf } from './migrations.ts';

/**
 * Returns the parts of an actor that was restored and not yet started that do not run, because its machine was another
 * one when it was persisted.
 *
 * @throws {HoldfastError} `STATE_INCOMPATIBLE`, when it cannot go on at all
 */
export function restoredParts(
  ref: AnyActorRef,
  { address, snapshot, version }: Pick<ActivateRequest, 'address' | 'snapshot' | 'version'>,
  logic: AnyActorLogic,
): string[] {
  const failed = failedRestore(ref, snapshot);
  if (failed === undefined) return notRestored(ref, snapshot);
  const { path, error: cause } = failed;
  const why = cause instanceof Error ? cause.message : 'something that is not an Error was thrown';
  const whose = path.length === 0 ? '' : `, in its child "${path.join('/')}"`;
  throw incompatible(
    address,
    version,
    versionOf(logic),
    `${why}${whose}; give the machine a new version and export a migration to it, or go back to the machine of before`,
    { cause },
  );
}
