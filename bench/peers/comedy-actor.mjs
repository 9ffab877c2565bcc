import task from './task.mjs';

export default class CountingActor {
  task(event) {
    return task(event);
  }
}
