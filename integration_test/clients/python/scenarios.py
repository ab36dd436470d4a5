"""The scenarios of ../README.md with pika's BlockingConnection."""

import os
import socket
import sys
import time
import traceback

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

DEADLINE = 15  # seconds for anything that is waited for


def connect():
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host=os.environ.get("AMQP_HOST", "localhost"),
            port=int(os.environ.get("AMQP_PORT", "5672")),
            virtual_host=os.environ.get("AMQP_VHOST", "/"),
            credentials=pika.PlainCredentials(
                os.environ.get("AMQP_USER", "guest"), os.environ.get("AMQP_PASSWORD", "guest")
            ),
            client_properties={"connection_name": "clients.python"},
        )
    )


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def wait(what, done, *connections):
    """Serves the connections until done() holds."""
    end = time.monotonic() + DEADLINE
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"timeout: {what}")
        for connection in connections:
            connection.process_data_events(time_limit=0.01)


def fresh_queue(channel, name, **options):
    channel.queue_delete(name)
    channel.queue_declare(name, durable=True, **options)


def ready(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


class Worker:
    """Collects deliveries and acks them when told to."""

    def __init__(self, queue, prefetch):
        self.connection = connect()
        self.channel = self.connection.channel()
        self.channel.basic_qos(prefetch_count=prefetch)
        self.bodies, self.redelivered, self.unacked = [], [], []
        self.channel.basic_consume(queue, self.take)

    def take(self, channel, method, properties, body):
        self.bodies.append(body.decode())
        self.redelivered.append(method.redelivered)
        self.unacked.append(method.delivery_tag)

    def ack(self):
        while self.unacked:
            self.channel.basic_ack(self.unacked.pop(0))


def work_queue():
    queue = "clients.python.work"
    connection = connect()
    channel = connection.channel()
    fresh_queue(channel, queue)
    sent = [f"job {i}" for i in range(100)]
    for body in sent:
        channel.basic_publish("", queue, body.encode(), pika.BasicProperties(delivery_mode=2))
    wait("100 messages in the queue", lambda: ready(channel, queue) == 100, connection)

    workers = [Worker(queue, 5), Worker(queue, 5)]
    sockets = [worker.connection for worker in workers]
    wait("5 messages for each worker", lambda: all(len(w.bodies) >= 5 for w in workers), *sockets)
    expect(ready(channel, queue), 90, "ready beside two full prefetch windows")
    for worker in workers:
        worker.connection.process_data_events(time_limit=0)
        expect(len(worker.bodies), 5, "deliveries within a prefetch of 5")

    def all_done():
        for worker in workers:
            worker.ack()
        return sum(len(w.bodies) for w in workers) >= 100

    wait("100 deliveries", all_done, *sockets)
    expect(sorted(workers[0].bodies + workers[1].bodies), sorted(sent), "messages of both workers")
    expect(any(workers[0].redelivered + workers[1].redelivered), False, "any redelivered flag")
    for worker in workers:
        worker.ack()
        worker.connection.close()
    expect(ready(channel, queue), 0, "ready after all acks")
    channel.queue_delete(queue)
    connection.close()


def redelivery():
    queue = "clients.python.redelivery"
    connection = connect()
    channel = connection.channel()
    fresh_queue(channel, queue)
    for i in range(1, 7):
        channel.basic_publish("", queue, str(i).encode())
    wait("6 messages in the queue", lambda: ready(channel, queue) == 6, connection)

    doomed = Worker(queue, 4)
    wait("4 deliveries", lambda: len(doomed.bodies) == 4, doomed.connection)
    doomed.channel.basic_ack(doomed.unacked[0])
    wait("a fifth delivery after one ack", lambda: len(doomed.bodies) == 5, doomed.connection)
    expect(doomed.bodies, ["1", "2", "3", "4", "5"], "first deliveries")
    # pika has no public way to lose a connection: every close of it says good-bye.
    doomed.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)

    wait("return of the unacked messages", lambda: ready(channel, queue) == 5, connection)
    heir = Worker(queue, 0)
    wait("5 deliveries", lambda: len(heir.bodies) >= 5, heir.connection)
    expect(heir.bodies, ["2", "3", "4", "5", "6"], "order after the loss")
    expect(heir.redelivered, [True, True, True, True, False], "redelivered flags")
    heir.ack()
    heir.connection.close()
    expect(ready(channel, queue), 0, "ready after all acks")
    channel.queue_delete(queue)
    connection.close()


def rpc():
    queue = "clients.python.rpc"
    server = connect()
    serving = server.channel()
    fresh_queue(serving, queue)

    def square(channel, method, properties, body):
        channel.basic_publish(
            "",
            properties.reply_to,
            str(int(body) ** 2).encode(),
            pika.BasicProperties(correlation_id=properties.correlation_id),
        )
        channel.basic_ack(method.delivery_tag)

    serving.basic_consume(queue, square)

    caller = connect()
    calling = caller.channel()
    reply_queue = calling.queue_declare("", exclusive=True).method.queue
    expect(reply_queue[:8], "amq.gen-", "start of the broker's queue name")
    answers = {}

    def answer(channel, method, properties, body):
        answers[properties.correlation_id] = int(body)

    calling.basic_consume(reply_queue, answer, auto_ack=True)
    for n in (3, 4, 5):
        calling.basic_publish(
            "", queue, str(n).encode(), pika.BasicProperties(reply_to=reply_queue, correlation_id=f"call-{n}")
        )
    wait("3 answers", lambda: len(answers) == 3, server, caller)
    expect(answers, {"call-3": 9, "call-4": 16, "call-5": 25}, "answers by correlation id")

    intruder = server.channel()
    try:
        intruder.queue_declare(reply_queue, passive=True)
        raise AssertionError("another connection may use an exclusive queue")
    except ChannelClosedByBroker as closed:
        expect(closed.reply_code, 405, "reply code for an exclusive queue")
    serving.queue_delete(queue)
    caller.close()
    server.close()


def topic():
    exchange = "clients.python.topic"
    connection = connect()
    channel = connection.channel()
    channel.exchange_delete(exchange)
    channel.exchange_declare(exchange, "topic", durable=True)
    bindings = {"orange": ["*.orange.*"], "rabbits": ["*.*.rabbit", "lazy.#"], "all": ["#"]}
    queues = {}
    for name, keys in bindings.items():
        queues[name] = channel.queue_declare("", exclusive=True).method.queue
        for key in keys:
            channel.queue_bind(queues[name], exchange, key)

    keys = [
        "quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox", "lazy.brown.fox",
        "lazy.pink.rabbit", "quick.brown.fox", "orange", "quick.orange.new.rabbit",
        "lazy.orange.new.rabbit", "lazy", "",
    ]  # fmt: skip
    for key in keys:
        channel.basic_publish(exchange, key, f"<{key}>".encode())

    def drain(name):
        got = []
        while True:
            method, _, body = channel.basic_get(queues[name], auto_ack=True)
            if method is None:
                return got
            expect(body.decode(), f"<{method.routing_key}>", "body beside its routing key")
            got.append(method.routing_key)

    expect(drain("orange"), ["quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"], "*.orange.*")
    expect(
        drain("rabbits"),
        ["quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox", "lazy.pink.rabbit",
         "lazy.orange.new.rabbit", "lazy"],
        "*.*.rabbit and lazy.#",
    )  # fmt: skip
    expect(drain("all"), keys, "#")

    channel.queue_unbind(queues["rabbits"], exchange, "lazy.#")
    channel.basic_publish(exchange, "lazy.pink.rabbit", b"<lazy.pink.rabbit>")
    channel.basic_publish(exchange, "lazy.brown.fox", b"<lazy.brown.fox>")
    expect(drain("rabbits"), ["lazy.pink.rabbit"], "*.*.rabbit after lazy.# was unbound")
    channel.exchange_delete(exchange)
    connection.close()


def confirms():
    connection = connect()
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    for i in range(100):  # each call waits for its confirm and raises on a nack
        channel.basic_publish("", queue, f"message {i}".encode(), mandatory=True)
    expect(ready(channel, queue), 100, "messages in the queue")
    try:
        channel.basic_publish("", "clients.python.nowhere", b"lost", mandatory=True)
        raise AssertionError("an unroutable mandatory message did not come back")
    except UnroutableError as unroutable:
        (returned,) = unroutable.messages
        expect(returned.method.reply_code, 312, "reply code of the return")
        expect(returned.method.reply_text, "NO_ROUTE", "reply text of the return")
        expect(returned.method.routing_key, "clients.python.nowhere", "routing key of the return")
        expect(returned.body, b"lost", "body of the return")
    channel.basic_publish("", "clients.python.nowhere", b"dropped")  # not mandatory: acked, not returned
    try:
        channel.basic_publish("clients.python.missing", "", b"nowhere to go")
        raise AssertionError("a publish to a missing exchange was confirmed")
    except ChannelClosedByBroker as closed:
        expect(closed.reply_code, 404, "reply code for a missing exchange")
    expect(ready(connection.channel(), queue), 100, "messages in the queue, by a new channel")
    connection.close()


def main():
    failed = False
    for name, scenario in [
        ("work-queue", work_queue),
        ("redelivery", redelivery),
        ("rpc", rpc),
        ("topic", topic),
        ("confirms", confirms),
    ]:
        try:
            scenario()
            print("ok", name, flush=True)
        except Exception as fault:  # reported, and the next scenario gets its turn
            traceback.print_exc()
            print(f"not ok {name}: {fault!r}", flush=True)
            failed = True
    sys.exit(failed)


main()
