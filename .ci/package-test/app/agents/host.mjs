// Imports the host's side of the package, which a thread with permissions has no business with; and an agent may be JavaScript.
import 'holdfast';
import { fromTransition } from 'xstate';

export default fromTransition((state) => state, null);
