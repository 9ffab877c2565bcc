import { HoldfastError } from './errors.ts';

/** The reason to end a request whose answer an agent does not read any further. */
export class NobodyReads extends HoldfastError {
  constructor() {
    super('AGENT_STOPPED', 'nobody reads the answer to this request any more');
  }
}
