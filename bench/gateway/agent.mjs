import { replyTo } from 'holdfast/agent';
import { quoting } from './quoting.mjs';

export default quoting(replyTo);
