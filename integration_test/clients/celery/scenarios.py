"""The scenarios of ../README.md for Celery, and for the delays of its later versions."""

import os
import sys
import time
import traceback

import celery
import pika
from celery.contrib.testing.worker import start_worker

DEADLINE = 15  # seconds for anything that is waited for

HOST, PORT = os.environ.get("AMQP_HOST", "localhost"), os.environ.get("AMQP_PORT", "5672")
USER, PASSWORD = os.environ.get("AMQP_USER", "guest"), os.environ.get("AMQP_PASSWORD", "guest")
VHOST = os.environ.get("AMQP_VHOST", "/")


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def wait(what, done, serve=lambda: time.sleep(0.005)):
    end = time.monotonic() + DEADLINE
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"timeout: {what}")
        serve()


def application(queue, **settings):
    """A Celery application with one task, which notes its argument and the time."""
    app = celery.Celery("clients", broker=f"amqp://{USER}:{PASSWORD}@{HOST}:{PORT}/{VHOST}", backend="rpc://")
    app.conf.update(
        task_default_queue=queue,
        task_queue_max_priority=9,
        task_acks_late=True,
        worker_hijack_root_logger=False,
        broker_connection_retry=False,
        # A worker that is given the next message while it reads the last one sends its acknowledgement only when its
        # loop comes round: with a heartbeat that is soon, by default after 10 s.
        broker_heartbeat=2,
        **settings,
    )
    done = []

    @app.task(name="clients.note")
    def note(what):
        done.append((what, time.monotonic()))
        return what * 2

    app.set_current()
    return app, note, done


def at_work(app):
    """A worker in threads of this process, until the block is left."""
    return start_worker(app, pool="solo", concurrency=1, perform_ping_check=False, loglevel="ERROR", shutdown_timeout=60)


def drop(queue):
    connection = connect()
    connection.channel().queue_delete(queue)
    connection.close()


def countdown():
    queue = "clients.celery.countdown"
    drop(queue)
    app, note, done = application(queue)
    with at_work(app):
        sent = time.monotonic()
        late = note.apply_async(("late",), countdown=2)
        soon = note.apply_async(("soon",), countdown=1)
        now = note.apply_async(("now",))
        expect(now.get(timeout=DEADLINE), "nownow", "result of a task that runs at once")
        expect(soon.get(timeout=DEADLINE), "soonsoon", "result of a task with a countdown of 1")
        expect(late.get(timeout=DEADLINE), "latelate", "result of a task with a countdown of 2")
    expect([what for what, _ in done], ["now", "soon", "late"], "order of the tasks")
    waited = {what: at - sent for what, at in done}
    if waited["soon"] < 0.9 or waited["late"] < 1.9:
        raise AssertionError(f"a task ran before its time: {waited}")
    drop(queue)


def priority():
    queue = "clients.celery.priority"
    drop(queue)
    app, note, done = application(queue, worker_prefetch_multiplier=1)
    with app.connection_for_write() as connection:
        app.amqp.queues[queue](connection).declare()
    for n in (3, 9, 1, 9, 0, 5):
        note.apply_async((f"priority {n}",), priority=n)
    with at_work(app):
        wait("6 tasks", lambda: len(done) == 6)
    expect(
        [what for what, _ in done],
        [f"priority {n}" for n in (9, 9, 5, 3, 1, 0)],
        "order of the tasks",
    )
    drop(queue)


def connect():
    return pika.BlockingConnection(
        pika.ConnectionParameters(HOST, int(PORT), VHOST, pika.PlainCredentials(USER, PASSWORD))
    )


BITS = 28  # of a delay in seconds


def level(n):
    return f"celery_delayed_{n}"


def declare_levels(channel, queue_type):
    """One level for each bit of a delay: a message waits 2^n seconds at level n if its bit is 1, or passes it."""
    for n in reversed(range(BITS)):
        channel.exchange_declare(level(n), "topic", durable=True)
    channel.exchange_declare("celery_delayed_delivery", "topic", durable=True)
    for n in reversed(range(BITS)):
        below = level(n - 1) if n else "celery_delayed_delivery"
        arguments = {
            "x-queue-type": queue_type,
            "x-overflow": "reject-publish",
            "x-message-ttl": 2**n * 1000,
            "x-dead-letter-exchange": below,
        }
        if queue_type == "quorum":
            arguments["x-dead-letter-strategy"] = "at-least-once"
        channel.queue_declare(level(n), durable=True, arguments=arguments)
        skipped = "*." * (BITS - 1 - n)
        channel.queue_bind(level(n), level(n), skipped + "1.#")
        channel.exchange_bind(below, level(n), skipped + "0.#")


def drop_levels(channel):
    for n in range(BITS):
        channel.queue_delete(level(n))
        channel.exchange_delete(level(n))
    channel.exchange_delete("celery_delayed_delivery")


def delayed_key(seconds, key):
    return ".".join(f"{seconds:0{BITS}b}") + "." + key


def delayed_delivery(queue_type):
    queue = "clients.celery.delayed"
    connection = connect()
    channel = connection.channel()
    drop_levels(channel)
    declare_levels(channel, queue_type)
    channel.queue_delete(queue)
    channel.queue_declare(queue, durable=True)
    channel.exchange_declare(queue, "direct", durable=True)
    channel.exchange_bind(queue, "celery_delayed_delivery", f"#.{queue}")
    channel.queue_bind(queue, queue, f"#.{queue}")
    # A direct exchange takes the key as it is, so the binding that counts is that of each delay.
    delays = [3, 1, 0, 2, 5]
    for seconds in delays:
        channel.queue_bind(queue, queue, delayed_key(seconds, queue))
    channel.confirm_delivery()
    sent = time.monotonic()
    for seconds in delays:
        body = str(seconds).encode()
        channel.basic_publish(level(BITS - 1), delayed_key(seconds, queue), body, pika.BasicProperties(delivery_mode=2))
    came = {}

    def take(channel, method, properties, body):
        came[int(body)] = time.monotonic() - sent
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, take)
    wait("5 messages", lambda: len(came) == len(delays), lambda: connection.process_data_events(time_limit=0.01))
    expect(list(came), sorted(delays), "order of arrival")
    for seconds, waited in came.items():
        if not seconds - 0.05 <= waited < seconds + 2:
            raise AssertionError(f"a delay of {seconds} s took {waited:.2f} s")
    drop_levels(channel)
    channel.queue_delete(queue)
    channel.exchange_delete(queue)
    connection.close()


def main():
    failed = False
    for name, scenario in [
        ("countdown", countdown),
        ("priority", priority),
        ("delayed-delivery-classic", lambda: delayed_delivery("classic")),
        ("delayed-delivery-quorum", lambda: delayed_delivery("quorum")),
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
