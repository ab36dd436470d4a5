/* The scenarios of ../README.md with rabbitmq-c.
 *
 * Each scenario runs in a process of its own, so that a fault may simply end it
 * and the others still get their turn. */

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE = 15 /* seconds for anything that is waited for */, CHANNEL = 1, FRAME_MAX = 131072 };

static const char *scenario; /* the one that runs */

/* die reports the scenario as failed and ends its process. */
static void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("not ok %s: ", scenario);
  vprintf(format, args);
  putchar('\n');
  va_end(args);
  exit(1);
}

static void expect_long(long got, long want, const char *what) {
  if (got != want) die("%s: got %ld, want %ld", what, got, want);
}

static void expect_text(const char *got, const char *want, const char *what) {
  if (strcmp(got, want) != 0) die("%s: got '%s', want '%s'", what, got, want);
}

static amqp_bytes_t bytes(const char *text) { return amqp_cstring_bytes(text); }

/* text copies bytes into a string of at most size - 1 characters. */
static const char *text(amqp_bytes_t from, char *into, size_t size) {
  snprintf(into, size, "%.*s", (int)from.len, from.len ? (const char *)from.bytes : "");
  return into;
}

/* reply_code is the code with which the broker closed the channel or connection, 0 if it did not. */
static int reply_code(amqp_rpc_reply_t reply) {
  if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) return 0;
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) return ((amqp_channel_close_t *)reply.reply.decoded)->reply_code;
  if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD)
    return ((amqp_connection_close_t *)reply.reply.decoded)->reply_code;
  return 0;
}

static void must(amqp_rpc_reply_t reply, const char *what) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) die("%s: %s", what, amqp_error_string2(reply.library_error));
  die("%s: the broker closed with %d", what, reply_code(reply));
}

/* must_have checks the reply to the call before it. */
static void must_have(amqp_connection_state_t connection, const char *what) {
  must(amqp_get_rpc_reply(connection), what);
}

static const char *setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value ? value : otherwise;
}

/* connect logs in and opens channel 1. */
static amqp_connection_state_t connect_broker(void) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(connection);
  const char *host = setting("AMQP_HOST", "localhost");
  int status = amqp_socket_open(socket, host, atoi(setting("AMQP_PORT", "5672")));
  if (status != AMQP_STATUS_OK) die("connect to %s: %s", host, amqp_error_string2(status));
  must(amqp_login(connection, setting("AMQP_VHOST", "/"), 0, FRAME_MAX, 60, AMQP_SASL_METHOD_PLAIN,
                  setting("AMQP_USER", "guest"), setting("AMQP_PASSWORD", "guest")),
       "login");
  amqp_channel_open(connection, CHANNEL);
  must_have(connection, "channel.open");
  return connection;
}

static void disconnect(amqp_connection_state_t connection) {
  must(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "connection.close");
  amqp_destroy_connection(connection);
}

static void fresh_queue(amqp_connection_state_t connection, const char *queue) {
  amqp_queue_delete(connection, CHANNEL, bytes(queue), 0, 0);
  must_have(connection, "queue.delete");
  amqp_queue_declare(connection, CHANNEL, bytes(queue), 0, 1, 0, 0, amqp_empty_table);
  must_have(connection, "queue.declare");
}

/* own_queue declares an exclusive queue that the broker names. */
static const char *own_queue(amqp_connection_state_t connection, char *name, size_t size) {
  amqp_queue_declare_ok_t *ok =
      amqp_queue_declare(connection, CHANNEL, amqp_empty_bytes, 0, 0, 1, 0, amqp_empty_table);
  must_have(connection, "queue.declare");
  return text(ok->queue, name, size);
}

static long ready_on(amqp_connection_state_t connection, amqp_channel_t channel, const char *queue) {
  amqp_queue_declare_ok_t *ok = amqp_queue_declare(connection, channel, bytes(queue), 1, 0, 0, 0, amqp_empty_table);
  must_have(connection, "passive queue.declare");
  return ok->message_count;
}

/* await_ready polls the length of a queue. */
static void await_ready(amqp_connection_state_t connection, const char *queue, long count, const char *what) {
  for (int i = 0; ready_on(connection, CHANNEL, queue) != count; i++) {
    if (i > DEADLINE * 200) die("timeout: %s", what);
    usleep(5000);
  }
}

static void publish(amqp_connection_state_t connection, const char *exchange, const char *key, bool mandatory,
                    const amqp_basic_properties_t *properties, const char *body) {
  int status = amqp_basic_publish(connection, CHANNEL, bytes(exchange), bytes(key), mandatory, 0, properties,
                                  bytes(body));
  if (status != AMQP_STATUS_OK) die("basic.publish: %s", amqp_error_string2(status));
}

/* consume takes the next delivery; false when none comes within milliseconds. */
static bool consume(amqp_connection_state_t connection, amqp_envelope_t *envelope, int milliseconds) {
  struct timeval timeout = {milliseconds / 1000, milliseconds % 1000 * 1000};
  amqp_maybe_release_buffers(connection);
  amqp_rpc_reply_t reply = amqp_consume_message(connection, envelope, &timeout, 0);
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) return false;
  must(reply, "wait for a delivery");
  return true;
}

static void ack(amqp_connection_state_t connection, uint64_t delivery_tag) {
  int status = amqp_basic_ack(connection, CHANNEL, delivery_tag, 0);
  if (status != AMQP_STATUS_OK) die("basic.ack: %s", amqp_error_string2(status));
}

/* worker opens a connection that consumes queue. */
static amqp_connection_state_t worker(const char *queue, uint16_t prefetch, bool no_ack) {
  amqp_connection_state_t connection = connect_broker();
  amqp_basic_qos(connection, CHANNEL, 0, prefetch, 0);
  must_have(connection, "basic.qos");
  amqp_basic_consume(connection, CHANNEL, bytes(queue), amqp_empty_bytes, 0, no_ack, 0, amqp_empty_table);
  must_have(connection, "basic.consume");
  return connection;
}

static void work_queue(void) {
  enum { JOBS = 100, WORKERS = 2, PREFETCH = 5 };
  const char *queue = "clients.c.work";
  amqp_connection_state_t connection = connect_broker(), workers[WORKERS];
  amqp_basic_properties_t persistent = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
  uint64_t unacked[WORKERS][PREFETCH];
  int seen[JOBS] = {0}, taken[WORKERS] = {0}, done = 0;
  char body[16];
  amqp_envelope_t envelope;

  fresh_queue(connection, queue);
  for (int i = 0; i < JOBS; i++) {
    snprintf(body, sizeof body, "%d", i);
    publish(connection, "", queue, false, &persistent, body);
  }
  await_ready(connection, queue, JOBS, "100 messages in the queue");

  for (int w = 0; w < WORKERS; w++) workers[w] = worker(queue, PREFETCH, false);
  for (int turn = 0; done < JOBS; turn++) {
    for (int w = 0; w < WORKERS; w++) {
      /* A worker fills its prefetch window, then acks all of it. */
      int held = 0;
      while (held < PREFETCH && done < JOBS) {
        if (!consume(workers[w], &envelope, turn == 0 ? DEADLINE * 1000 : 50)) break;
        int job = atoi(text(envelope.message.body, body, sizeof body));
        if (job < 0 || job >= JOBS) die("a message that nobody sent: %s", body);
        if (envelope.redelivered) die("message %d is marked redelivered", job);
        seen[job]++;
        done++;
        unacked[w][held++] = envelope.delivery_tag;
        amqp_destroy_envelope(&envelope);
      }
      taken[w] += held;
      if (turn == 0) { /* hold the acks back until both windows were seen full */
        expect_long(held, PREFETCH, "deliveries to a worker within a prefetch of 5");
        if (consume(workers[w], &envelope, 20)) die("a delivery beyond a prefetch of 5");
        if (w < WORKERS - 1) continue;
        expect_long(ready_on(connection, CHANNEL, queue), JOBS - WORKERS * PREFETCH,
                    "ready beside two full prefetch windows");
        for (int v = 0; v < WORKERS; v++)
          for (int i = 0; i < PREFETCH; i++) ack(workers[v], unacked[v][i]);
        continue;
      }
      for (int i = 0; i < held; i++) ack(workers[w], unacked[w][i]);
    }
    if (turn > DEADLINE * 20) die("timeout: 100 deliveries, got %d", done);
  }
  for (int i = 0; i < JOBS; i++) expect_long(seen[i], 1, "times that a message came");
  for (int w = 0; w < WORKERS; w++) {
    if (taken[w] <= PREFETCH) die("worker %d took no part after its first window", w);
    disconnect(workers[w]);
  }
  expect_long(ready_on(connection, CHANNEL, queue), 0, "ready after all acks");
  amqp_queue_delete(connection, CHANNEL, bytes(queue), 0, 0);
  disconnect(connection);
}

/* expect_delivery takes the next delivery, checks it and returns its tag. */
static uint64_t expect_delivery(amqp_connection_state_t connection, const char *want, bool redelivered) {
  amqp_envelope_t envelope;
  char body[16];
  if (!consume(connection, &envelope, DEADLINE * 1000)) die("timeout: delivery of %s", want);
  expect_text(text(envelope.message.body, body, sizeof body), want, "next delivery");
  if (envelope.redelivered != redelivered) die("%s: redelivered flag is %d", want, envelope.redelivered);
  uint64_t tag = envelope.delivery_tag;
  amqp_destroy_envelope(&envelope);
  return tag;
}

static void redelivery(void) {
  const char *queue = "clients.c.redelivery", *bodies[] = {"1", "2", "3", "4", "5", "6"};
  amqp_connection_state_t connection = connect_broker();
  fresh_queue(connection, queue);
  for (int i = 0; i < 6; i++) publish(connection, "", queue, false, NULL, bodies[i]);
  await_ready(connection, queue, 6, "6 messages in the queue");

  amqp_connection_state_t doomed = worker(queue, 4, false);
  uint64_t first = expect_delivery(doomed, "1", false);
  for (int i = 1; i < 4; i++) expect_delivery(doomed, bodies[i], false);
  ack(doomed, first);
  expect_delivery(doomed, "5", false);
  shutdown(amqp_get_sockfd(doomed), SHUT_RDWR);
  amqp_destroy_connection(doomed);

  await_ready(connection, queue, 5, "return of the unacked messages");
  amqp_connection_state_t heir = worker(queue, 0, false);
  for (int i = 1; i < 6; i++) ack(heir, expect_delivery(heir, bodies[i], i < 5));
  disconnect(heir);
  expect_long(ready_on(connection, CHANNEL, queue), 0, "ready after all acks");
  amqp_queue_delete(connection, CHANNEL, bytes(queue), 0, 0);
  disconnect(connection);
}

/* square_one answers one request. */
static void square_one(amqp_connection_state_t server) {
  amqp_envelope_t envelope;
  char body[16], reply_to[256];
  if (!consume(server, &envelope, DEADLINE * 1000)) die("timeout: a request");
  int n = atoi(text(envelope.message.body, body, sizeof body));
  snprintf(body, sizeof body, "%d", n * n);
  amqp_basic_properties_t properties = {
      ._flags = AMQP_BASIC_CORRELATION_ID_FLAG,
      .correlation_id = envelope.message.properties.correlation_id,
  };
  text(envelope.message.properties.reply_to, reply_to, sizeof reply_to);
  publish(server, "", reply_to, false, &properties, body);
  ack(server, envelope.delivery_tag);
  amqp_destroy_envelope(&envelope);
}

static void rpc(void) {
  const char *queue = "clients.c.rpc";
  char reply_queue[256], id[32], body[16], want[32];
  amqp_connection_state_t caller = connect_broker();
  fresh_queue(caller, queue);
  amqp_connection_state_t server = worker(queue, 0, false);

  own_queue(caller, reply_queue, sizeof reply_queue);
  if (strncmp(reply_queue, "amq.gen-", 8) != 0) die("the broker named a queue %s", reply_queue);
  amqp_basic_consume(caller, CHANNEL, bytes(reply_queue), amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
  must_have(caller, "basic.consume");
  for (int n = 3; n <= 5; n++) {
    snprintf(id, sizeof id, "call-%d", n);
    snprintf(body, sizeof body, "%d", n);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG,
        .correlation_id = bytes(id),
        .reply_to = bytes(reply_queue),
    };
    publish(caller, "", queue, false, &properties, body);
  }
  for (int i = 0; i < 3; i++) square_one(server);
  for (int n = 3; n <= 5; n++) { /* one server, so the answers come in the order of the calls */
    amqp_envelope_t envelope;
    if (!consume(caller, &envelope, DEADLINE * 1000)) die("timeout: an answer");
    snprintf(want, sizeof want, "call-%d", n);
    expect_text(text(envelope.message.properties.correlation_id, id, sizeof id), want, "correlation id");
    expect_long(atoi(text(envelope.message.body, body, sizeof body)), n * n, "answer");
    amqp_destroy_envelope(&envelope);
  }

  amqp_channel_open(server, 2);
  must_have(server, "channel.open");
  amqp_queue_declare(server, 2, bytes(reply_queue), 1, 0, 0, 0, amqp_empty_table);
  expect_long(reply_code(amqp_get_rpc_reply(server)), 405, "reply code for another connection's exclusive queue");
  amqp_queue_delete(caller, CHANNEL, bytes(queue), 0, 0);
  disconnect(caller);
  disconnect(server);
}

static void bind_queue(amqp_connection_state_t connection, const char *queue, const char *exchange,
                       const char *pattern) {
  amqp_queue_bind(connection, CHANNEL, bytes(queue), bytes(exchange), bytes(pattern), amqp_empty_table);
  must_have(connection, "queue.bind");
}

/* publish_keys publishes a message for each key, up to a NULL, with the key in its body. */
static void publish_keys(amqp_connection_state_t connection, const char *exchange, const char *const *keys) {
  char body[64];
  for (; *keys; keys++) {
    snprintf(body, sizeof body, "<%s>", *keys);
    publish(connection, exchange, *keys, false, NULL, body);
  }
}

/* expect_keys empties a queue and compares the routing keys with those wanted, up to a NULL. */
static void expect_keys(amqp_connection_state_t connection, const char *queue, const char *const *want,
                        const char *what) {
  char key[64], body[64], bracketed[72];
  for (;; want++) {
    amqp_maybe_release_buffers(connection);
    amqp_rpc_reply_t reply = amqp_basic_get(connection, CHANNEL, bytes(queue), 1);
    must(reply, "basic.get");
    if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) break;
    text(((amqp_basic_get_ok_t *)reply.reply.decoded)->routing_key, key, sizeof key);
    amqp_message_t message;
    must(amqp_read_message(connection, CHANNEL, &message, 0), "content of basic.get-ok");
    snprintf(bracketed, sizeof bracketed, "<%s>", key);
    expect_text(text(message.body, body, sizeof body), bracketed, "body beside its routing key");
    amqp_destroy_message(&message);
    if (!*want) die("%s: %s is one too many", what, bracketed);
    expect_text(key, *want, what);
  }
  if (*want) die("%s: lacks <%s>", what, *want);
}

static void topic(void) {
  static const char *const keys[] = {
      "quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox",        "lazy.brown.fox",
      "lazy.pink.rabbit",    "quick.brown.fox",      "orange",                  "quick.orange.new.rabbit",
      "lazy.orange.new.rabbit", "lazy",              "",                        NULL,
  };
  static const char *const oranges[] = {"quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox", NULL};
  static const char *const rabbits[] = {"quick.orange.rabbit", "lazy.orange.elephant",   "lazy.brown.fox",
                                        "lazy.pink.rabbit",    "lazy.orange.new.rabbit", "lazy", NULL};
  static const char *const late[] = {"lazy.pink.rabbit", "lazy.brown.fox", NULL};
  static const char *const pink[] = {"lazy.pink.rabbit", NULL};
  const char *exchange = "clients.c.topic";
  char orange_queue[256], rabbit_queue[256], all_queue[256];
  amqp_connection_state_t connection = connect_broker();

  amqp_exchange_delete(connection, CHANNEL, bytes(exchange), 0);
  must_have(connection, "exchange.delete");
  amqp_exchange_declare(connection, CHANNEL, bytes(exchange), bytes("topic"), 0, 1, 0, 0, amqp_empty_table);
  must_have(connection, "exchange.declare");
  bind_queue(connection, own_queue(connection, orange_queue, sizeof orange_queue), exchange, "*.orange.*");
  bind_queue(connection, own_queue(connection, rabbit_queue, sizeof rabbit_queue), exchange, "*.*.rabbit");
  bind_queue(connection, rabbit_queue, exchange, "lazy.#");
  bind_queue(connection, own_queue(connection, all_queue, sizeof all_queue), exchange, "#");

  publish_keys(connection, exchange, keys);
  expect_keys(connection, orange_queue, oranges, "*.orange.*");
  expect_keys(connection, rabbit_queue, rabbits, "*.*.rabbit and lazy.#");
  expect_keys(connection, all_queue, keys, "#");

  amqp_queue_unbind(connection, CHANNEL, bytes(rabbit_queue), bytes(exchange), bytes("lazy.#"), amqp_empty_table);
  must_have(connection, "queue.unbind");
  publish_keys(connection, exchange, late);
  expect_keys(connection, rabbit_queue, pink, "*.*.rabbit after lazy.# was unbound");
  amqp_exchange_delete(connection, CHANNEL, bytes(exchange), 0);
  must_have(connection, "exchange.delete");
  disconnect(connection);
}

/* next_method waits for a method frame. It stays valid until the next call. */
static amqp_method_t next_method(amqp_connection_state_t connection, const char *what) {
  struct timeval timeout = {DEADLINE, 0};
  amqp_frame_t frame;
  amqp_maybe_release_buffers(connection);
  int status = amqp_simple_wait_frame_noblock(connection, &frame, &timeout);
  if (status != AMQP_STATUS_OK) die("wait for %s: %s", what, amqp_error_string2(status));
  if (frame.frame_type != AMQP_FRAME_METHOD) die("wait for %s: a frame of type %d", what, frame.frame_type);
  return frame.payload.method;
}

static amqp_method_t expect_method(amqp_connection_state_t connection, amqp_method_number_t id, const char *what) {
  amqp_method_t method = next_method(connection, what);
  if (method.id != id) die("wait for %s: got %s", what, amqp_method_name(method.id));
  return method;
}

static void confirms(void) {
  enum { MESSAGES = 100 };
  char queue[256], body[32];
  amqp_connection_state_t connection = connect_broker();
  own_queue(connection, queue, sizeof queue);
  amqp_confirm_select(connection, CHANNEL);
  must_have(connection, "confirm.select");
  for (int i = 0; i < MESSAGES; i++) {
    snprintf(body, sizeof body, "message %d", i);
    publish(connection, "", queue, false, NULL, body);
  }
  bool confirmed[MESSAGES + 1] = {false};
  for (int open = MESSAGES; open > 0;) {
    amqp_basic_ack_t *confirm = expect_method(connection, AMQP_BASIC_ACK_METHOD, "a confirm").decoded;
    if (confirm->delivery_tag < 1 || confirm->delivery_tag > MESSAGES) die("a confirm of nothing published");
    for (uint64_t tag = confirm->multiple ? 1 : confirm->delivery_tag; tag <= confirm->delivery_tag; tag++) {
      open -= !confirmed[tag];
      confirmed[tag] = true;
    }
  }
  expect_long(ready_on(connection, CHANNEL, queue), MESSAGES, "messages in the queue");

  publish(connection, "", "clients.c.nowhere", true, NULL, "lost");
  amqp_basic_return_t *returned = expect_method(connection, AMQP_BASIC_RETURN_METHOD, "the return").decoded;
  expect_long(returned->reply_code, 312, "reply code of the return");
  expect_text(text(returned->reply_text, body, sizeof body), "NO_ROUTE", "reply text of the return");
  expect_text(text(returned->routing_key, body, sizeof body), "clients.c.nowhere", "routing key of the return");
  amqp_message_t message;
  must(amqp_read_message(connection, CHANNEL, &message, 0), "content of the return");
  expect_text(text(message.body, body, sizeof body), "lost", "body of the return");
  amqp_destroy_message(&message);
  amqp_basic_ack_t *confirm = expect_method(connection, AMQP_BASIC_ACK_METHOD, "a confirm after the return").decoded;
  expect_long((long)confirm->delivery_tag, MESSAGES + 1, "delivery tag of the confirm after the return");

  publish(connection, "clients.c.missing", "", false, NULL, "nowhere to go");
  amqp_channel_close_t *closed = expect_method(connection, AMQP_CHANNEL_CLOSE_METHOD, "channel.close").decoded;
  expect_long(closed->reply_code, 404, "reply code for a missing exchange");
  amqp_channel_close_ok_t close_ok = {0};
  amqp_send_method(connection, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
  amqp_channel_open(connection, 2);
  must_have(connection, "channel.open after channel.close");
  expect_long(ready_on(connection, 2, queue), MESSAGES, "messages in the queue, by a new channel");
  disconnect(connection);
}

/* holds runs a scenario in a process of its own. */
static bool holds(const char *name, void (*run)(void)) {
  int status;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    scenario = name;
    alarm(DEADLINE + 5); /* a call of the library that never returns */
    run();
    printf("ok %s\n", name);
    exit(0);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) {
    perror("scenarios");
    exit(2);
  }
  if (WIFSIGNALED(status)) printf("not ok %s: ended by signal %d\n", name, WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(void) {
  bool ok = holds("work-queue", work_queue);
  ok &= holds("redelivery", redelivery);
  ok &= holds("rpc", rpc);
  ok &= holds("topic", topic);
  ok &= holds("confirms", confirms);
  return ok ? 0 : 1;
}
