// Savina micro-benchmarks among comedy's actors, each in a thread of its own, as comedy has it. A reference to an actor
// in another thread works in one direction only (2.1.7), so there is no ring and no big.
import comedy from 'comedy';

class Counter {
  constructor() {
    this.count = 0;
  }

  tick() {
    this.count += 1;
  }

  // The answer paces the producer.
  add() {
    this.count += 1;
    return true;
  }

  total() {
    return this.count;
  }
}

class Producer {
  initialize(self) {
    this.counter = self.getCustomParameters().counter;
  }

  async produce({ events, burst }) {
    for (let sent = 0; sent < events; sent += burst) {
      for (let i = 1; i < burst; i++) this.counter.send('tick');
      await this.counter.sendAndReceive('add');
    }
    this.sent = (this.sent ?? 0) + events;
    // A question may overtake what was sent before it.
    const deadline = Date.now() + 10_000;
    for (;;) {
      const count = await this.counter.sendAndReceive('total');
      if (count >= this.sent || Date.now() > deadline) return count;
    }
  }

  async play(rounds) {
    let n = 0;
    while (n < rounds) n = await this.counter.sendAndReceive('pong', n);
    return n;
  }
}

class Pong {
  pong(n) {
    return n + 1;
  }
}

export async function startSavina() {
  const system = comedy.createSystem({ test: true });
  const root = await system.rootActor();
  const counter = await root.createChild(Counter, { mode: 'threaded' });
  const pong = await root.createChild(Pong, { mode: 'threaded' });
  const producer = (to) =>
    root.createChild(Producer, { mode: 'threaded', customParameters: { counter: to } });
  const [producing, playing] = [await producer(counter), await producer(pong)];
  return {
    /** Round trips that came back. */
    pingPong: (rounds) => playing.sendAndReceive('play', rounds),
    /** Events that the counter has seen, all runs together. */
    counting: (events, burst) => producing.sendAndReceive('produce', { events, burst }),
    stop: () => system.destroy(),
  };
}
