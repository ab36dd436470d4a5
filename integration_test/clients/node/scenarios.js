// The scenarios of ../README.md with amqplib's promise API.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import amqplib from 'amqplib';

const deadline = 15_000; // ms for anything that is waited for

function connect() {
  const { AMQP_HOST, AMQP_PORT, AMQP_USER, AMQP_PASSWORD, AMQP_VHOST } = process.env;
  return amqplib.connect(
    {
      hostname: AMQP_HOST ?? 'localhost',
      port: Number(AMQP_PORT ?? 5672),
      username: AMQP_USER ?? 'guest',
      password: AMQP_PASSWORD ?? 'guest',
      vhost: AMQP_VHOST ?? '/',
    },
    { clientProperties: { connection_name: 'clients.node' } },
  );
}

// wait polls until done() holds.
async function wait(what, done) {
  const end = Date.now() + deadline;
  while (!(await done())) {
    assert.ok(Date.now() < end, `timeout: ${what}`);
    await pause(5);
  }
}

async function freshQueue(channel, queue) {
  await channel.deleteQueue(queue);
  await channel.assertQueue(queue, { durable: true });
}

async function ready(channel, queue) {
  return (await channel.checkQueue(queue)).messageCount;
}

// Worker collects deliveries and acks them when told to.
class Worker {
  static async start(queue, prefetch) {
    const worker = new Worker();
    worker.connection = await connect();
    worker.channel = await worker.connection.createChannel();
    await worker.channel.prefetch(prefetch);
    worker.deliveries = [];
    worker.unacked = [];
    await worker.channel.consume(queue, (message) => {
      worker.deliveries.push(message);
      worker.unacked.push(message);
    });
    return worker;
  }

  get bodies() {
    return this.deliveries.map((message) => message.content.toString());
  }

  get redelivered() {
    return this.deliveries.map((message) => message.fields.redelivered);
  }

  ack() {
    for (const message of this.unacked.splice(0)) this.channel.ack(message);
  }

  // stop closes the channel first, which waits until the broker took the acks.
  async stop() {
    await this.channel.close();
    await this.connection.close();
  }
}

async function workQueue() {
  const queue = 'clients.node.work';
  const connection = await connect();
  const channel = await connection.createChannel();
  await freshQueue(channel, queue);
  const sent = Array.from({ length: 100 }, (_, i) => `job ${i}`);
  for (const body of sent) channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
  await wait('100 messages in the queue', async () => (await ready(channel, queue)) === 100);

  const workers = [await Worker.start(queue, 5), await Worker.start(queue, 5)];
  await wait('5 messages for each worker', () => workers.every((worker) => worker.deliveries.length >= 5));
  assert.equal(await ready(channel, queue), 90, 'ready beside two full prefetch windows');
  for (const worker of workers) assert.equal(worker.deliveries.length, 5, 'deliveries within a prefetch of 5');

  await wait('100 deliveries', () => {
    for (const worker of workers) worker.ack();
    return workers[0].deliveries.length + workers[1].deliveries.length >= 100;
  });
  const bodies = workers.flatMap((worker) => worker.bodies);
  assert.deepEqual(bodies.sort(), [...sent].sort(), 'messages of both workers');
  assert.ok(!workers.some((worker) => worker.redelivered.includes(true)), 'a message is marked redelivered');
  for (const worker of workers) {
    worker.ack();
    await worker.stop();
  }
  assert.equal(await ready(channel, queue), 0, 'ready after all acks');
  await channel.deleteQueue(queue);
  await connection.close();
}

async function redelivery() {
  const queue = 'clients.node.redelivery';
  const connection = await connect();
  const channel = await connection.createChannel();
  await freshQueue(channel, queue);
  for (let i = 1; i <= 6; i++) channel.sendToQueue(queue, Buffer.from(String(i)));
  await wait('6 messages in the queue', async () => (await ready(channel, queue)) === 6);

  const doomed = await Worker.start(queue, 4);
  doomed.connection.on('error', () => {}); // the loss below is wanted
  doomed.channel.on('error', () => {});
  await wait('4 deliveries', () => doomed.deliveries.length === 4);
  doomed.channel.ack(doomed.unacked[0]);
  await wait('a fifth delivery after one ack', () => doomed.deliveries.length === 5);
  assert.deepEqual(doomed.bodies, ['1', '2', '3', '4', '5'], 'first deliveries');
  doomed.connection.connection.stream.destroy();

  await wait('return of the unacked messages', async () => (await ready(channel, queue)) === 5);
  const heir = await Worker.start(queue, 0);
  await wait('5 deliveries', () => heir.deliveries.length >= 5);
  assert.deepEqual(heir.bodies, ['2', '3', '4', '5', '6'], 'order after the loss');
  assert.deepEqual(heir.redelivered, [true, true, true, true, false], 'redelivered flags');
  heir.ack();
  await heir.stop();
  assert.equal(await ready(channel, queue), 0, 'ready after all acks');
  await channel.deleteQueue(queue);
  await connection.close();
}

async function rpc() {
  const queue = 'clients.node.rpc';
  const server = await connect();
  const serving = await server.createChannel();
  await freshQueue(serving, queue);
  const { consumerTag } = await serving.consume(queue, (request) => {
    const { replyTo, correlationId } = request.properties;
    const n = Number(request.content.toString());
    serving.sendToQueue(replyTo, Buffer.from(String(n * n)), { correlationId });
    serving.ack(request);
  });

  const caller = await connect();
  const calling = await caller.createChannel();
  const { queue: replyTo } = await calling.assertQueue('', { exclusive: true });
  assert.match(replyTo, /^amq\.gen-/, "start of the broker's queue name");
  const answers = {};
  await calling.consume(
    replyTo,
    (reply) => {
      answers[reply.properties.correlationId] = Number(reply.content.toString());
    },
    { noAck: true },
  );
  for (const n of [3, 4, 5]) {
    calling.sendToQueue(queue, Buffer.from(String(n)), { replyTo, correlationId: `call-${n}` });
  }
  await wait('3 answers', () => Object.keys(answers).length === 3);
  assert.deepEqual(answers, { 'call-3': 9, 'call-4': 16, 'call-5': 25 }, 'answers by correlation id');

  const intruder = await server.createChannel();
  intruder.on('error', () => {}); // told by the rejected promise, too
  await assert.rejects(intruder.checkQueue(replyTo), { code: 405 }, "another connection may use the caller's queue");
  await serving.cancel(consumerTag); // else the delete is told to the consumer, as a null request
  await serving.deleteQueue(queue);
  await caller.close();
  await server.close();
}

async function topic() {
  const exchange = 'clients.node.topic';
  const connection = await connect();
  const channel = await connection.createChannel();
  await channel.deleteExchange(exchange);
  await channel.assertExchange(exchange, 'topic', { durable: true });
  const bound = async (...patterns) => {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    for (const pattern of patterns) await channel.bindQueue(queue, exchange, pattern);
    return queue;
  };
  const orange = await bound('*.orange.*');
  const rabbits = await bound('*.*.rabbit', 'lazy.#');
  const all = await bound('#');

  const keys = [
    'quick.orange.rabbit',
    'lazy.orange.elephant',
    'quick.orange.fox',
    'lazy.brown.fox',
    'lazy.pink.rabbit',
    'quick.brown.fox',
    'orange',
    'quick.orange.new.rabbit',
    'lazy.orange.new.rabbit',
    'lazy',
    '',
  ];
  for (const key of keys) channel.publish(exchange, key, Buffer.from(`<${key}>`));

  const drain = async (queue) => {
    const got = [];
    for (let message; (message = await channel.get(queue, { noAck: true })); ) {
      assert.equal(message.content.toString(), `<${message.fields.routingKey}>`, 'body beside its routing key');
      got.push(message.fields.routingKey);
    }
    return got;
  };
  assert.deepEqual(await drain(orange), ['quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox']);
  assert.deepEqual(await drain(rabbits), [
    'quick.orange.rabbit',
    'lazy.orange.elephant',
    'lazy.brown.fox',
    'lazy.pink.rabbit',
    'lazy.orange.new.rabbit',
    'lazy',
  ]);
  assert.deepEqual(await drain(all), keys);

  await channel.unbindQueue(rabbits, exchange, 'lazy.#');
  for (const key of ['lazy.pink.rabbit', 'lazy.brown.fox']) channel.publish(exchange, key, Buffer.from(`<${key}>`));
  assert.deepEqual(await drain(rabbits), ['lazy.pink.rabbit'], '*.*.rabbit after lazy.# was unbound');
  await channel.deleteExchange(exchange);
  await connection.close();
}

async function confirms() {
  const connection = await connect();
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  for (let i = 0; i < 100; i++) channel.sendToQueue(queue, Buffer.from(`message ${i}`));
  await channel.waitForConfirms(); // rejects on a nack
  assert.equal(await ready(channel, queue), 100, 'messages in the queue');

  const events = [];
  channel.on('return', ({ fields, content }) => {
    events.push(['return', fields.replyCode, fields.replyText, fields.routingKey, content.toString()]);
  });
  channel.publish('', 'clients.node.nowhere', Buffer.from('lost'), { mandatory: true }, (fault) => {
    events.push([fault ? 'nack' : 'ack']);
  });
  await channel.waitForConfirms();
  assert.deepEqual(events, [['return', 312, 'NO_ROUTE', 'clients.node.nowhere', 'lost'], ['ack']]);

  const closed = new Promise((resolve) => channel.on('error', resolve));
  channel.publish('clients.node.missing', '', Buffer.from('nowhere to go'), {}, () => {});
  const expired = pause(deadline, { code: 'timeout' }, { ref: false });
  assert.equal((await Promise.race([closed, expired])).code, 404, 'reply code for a missing exchange');
  assert.equal(await ready(await connection.createChannel(), queue), 100, 'messages in the queue, by a new channel');
  await connection.close();
}

const scenarios = { 'work-queue': workQueue, redelivery, rpc, topic, confirms };
let failed = false;
let running;

function report(fault) {
  console.error(fault);
  console.log(`not ok ${running}: ${fault.message.replaceAll('\n', ' ')}`);
  failed = true;
}

// The library throws what a connection ends with where nobody can catch it.
process.on('uncaughtException', (fault) => {
  report(fault);
  process.exit(1);
});

for (const [name, scenario] of Object.entries(scenarios)) {
  running = name;
  try {
    await scenario();
    console.log(`ok ${name}`);
  } catch (fault) {
    report(fault); // and the next scenario gets its turn
  }
}
process.exit(failed ? 1 : 0); // open connections of a failed scenario would keep node alive
