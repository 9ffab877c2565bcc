/** What a client did, and when: it began at `call`, and its answer came at `return`. The two are of one clock. */
export interface Operation<Input, Output> {
  readonly input: Input;
  /** Undefined when nobody knows what came of it. */
  readonly output: Output | undefined;
  readonly call: number;
  /** `Infinity`: nobody knows whether it was done; if it was, then at any time after `call`. */
  readonly return: number;
}

/** An object as it behaves when one client alone uses it. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /** The state after the operation; undefined: it cannot have had that output. Of an unknown output nothing is asked. */
  readonly step: (
    state: State,
    input: Input,
    output: Output | undefined,
  ) => { readonly state: State } | undefined;
  /** Equal states have equal keys. */
  readonly key: (state: State) => string | number;
}
