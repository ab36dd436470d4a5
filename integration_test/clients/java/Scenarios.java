// The scenarios of ../README.md with the Java client. One file without a build:
// java -cp amqp-client.jar:slf4j-api.jar Scenarios.java

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.CancelCallback;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

final class Scenarios {
    private static final long DEADLINE = TimeUnit.SECONDS.toNanos(15); // for anything that is waited for

    private interface Scenario {
        void run() throws Exception;
    }

    public static void main(String[] args) {
        boolean ok = holds("work-queue", Scenarios::workQueue);
        ok &= holds("redelivery", Scenarios::redelivery);
        ok &= holds("rpc", Scenarios::rpc);
        ok &= holds("topic", Scenarios::topic);
        ok &= holds("confirms", Scenarios::confirms);
        System.exit(ok ? 0 : 1); // a failed scenario leaves connections, whose threads would keep the process
    }

    /** Runs a scenario and reports it; a fault keeps none of the others from running. */
    private static boolean holds(String name, Scenario scenario) {
        try {
            scenario.run();
            System.out.println("ok " + name);
            return true;
        } catch (Exception | AssertionError fault) {
            fault.printStackTrace();
            System.out.println("not ok " + name + ": " + fault);
            return false;
        }
    }

    private static Connection connect() throws Exception {
        return factory().newConnection("clients.java");
    }

    private static ConnectionFactory factory() {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost(setting("AMQP_HOST", "localhost"));
        factory.setPort(Integer.parseInt(setting("AMQP_PORT", "5672")));
        factory.setUsername(setting("AMQP_USER", "guest"));
        factory.setPassword(setting("AMQP_PASSWORD", "guest"));
        factory.setVirtualHost(setting("AMQP_VHOST", "/"));
        factory.setAutomaticRecoveryEnabled(false);
        return factory;
    }

    private static String setting(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    private static void expect(Object got, Object want, String what) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    /** Polls until done holds. */
    private static void await(String what, Callable<Boolean> done) throws Exception {
        for (long end = System.nanoTime() + DEADLINE; !done.call(); Thread.sleep(5)) {
            if (System.nanoTime() > end) {
                throw new AssertionError("timeout: " + what);
            }
        }
    }

    private static byte[] bytes(String body) {
        return body.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] body) {
        return new String(body, StandardCharsets.UTF_8);
    }

    private static void freshQueue(Channel channel, String queue) throws IOException {
        channel.queueDelete(queue);
        channel.queueDeclare(queue, true, false, false, null);
    }

    private static long ready(Channel channel, String queue) throws IOException {
        return channel.queueDeclarePassive(queue).getMessageCount();
    }

    /**
     * Collects deliveries and acks them when told to. Deliveries come in on a thread of the
     * library's, which holds the worker's lock as everybody does who looks at them.
     */
    private static final class Worker {
        final Connection connection;
        final Channel channel;
        private final List<String> bodies = new ArrayList<>();
        private final List<Boolean> redelivered = new ArrayList<>();
        private final List<Long> unacked = new ArrayList<>();
        private Socket socket;

        Worker(String queue, int prefetch) throws Exception {
            ConnectionFactory factory = factory();
            factory.setSocketConfigurator(opened -> socket = opened);
            connection = factory.newConnection("clients.java");
            channel = connection.createChannel();
            channel.basicQos(prefetch);
            channel.basicConsume(queue, false, (tag, delivery) -> {
                synchronized (this) {
                    bodies.add(text(delivery.getBody()));
                    redelivered.add(delivery.getEnvelope().isRedeliver());
                    unacked.add(delivery.getEnvelope().getDeliveryTag());
                }
            }, (CancelCallback) tag -> {});
        }

        synchronized List<String> bodies() {
            return List.copyOf(bodies);
        }

        synchronized List<Boolean> redelivered() {
            return List.copyOf(redelivered);
        }

        synchronized void ackOne() throws IOException {
            channel.basicAck(unacked.remove(0), false);
        }

        synchronized void ack() throws IOException {
            while (!unacked.isEmpty()) {
                ackOne();
            }
        }

        /** Loses the connection without a word of AMQP. */
        void drop() throws IOException {
            socket.close();
        }
    }

    private static void workQueue() throws Exception {
        String queue = "clients.java.work";
        try (Connection connection = connect()) {
            Channel channel = connection.createChannel();
            freshQueue(channel, queue);
            List<String> sent = IntStream.range(0, 100).mapToObj(i -> "job " + i).sorted().toList();
            for (String body : sent) {
                channel.basicPublish("", queue, MessageProperties.PERSISTENT_TEXT_PLAIN, bytes(body));
            }
            await("100 messages in the queue", () -> ready(channel, queue) == 100);

            List<Worker> workers = List.of(new Worker(queue, 5), new Worker(queue, 5));
            await("5 messages for each worker", () -> workers.stream().allMatch(w -> w.bodies().size() >= 5));
            expect(ready(channel, queue), 90L, "ready beside two full prefetch windows");
            for (Worker worker : workers) {
                expect(worker.bodies().size(), 5, "deliveries within a prefetch of 5");
            }

            await("100 deliveries", () -> {
                for (Worker worker : workers) {
                    worker.ack();
                }
                return workers.stream().mapToInt(w -> w.bodies().size()).sum() >= 100;
            });
            expect(workers.stream().flatMap(w -> w.bodies().stream()).sorted().toList(), sent,
                    "messages of both workers");
            expect(workers.stream().anyMatch(w -> w.redelivered().contains(true)), false, "any redelivered flag");
            for (Worker worker : workers) {
                worker.ack();
                worker.connection.close();
            }
            expect(ready(channel, queue), 0L, "ready after all acks");
            channel.queueDelete(queue);
        }
    }

    private static void redelivery() throws Exception {
        String queue = "clients.java.redelivery";
        try (Connection connection = connect()) {
            Channel channel = connection.createChannel();
            freshQueue(channel, queue);
            for (int i = 1; i <= 6; i++) {
                channel.basicPublish("", queue, null, bytes(Integer.toString(i)));
            }
            await("6 messages in the queue", () -> ready(channel, queue) == 6);

            Worker doomed = new Worker(queue, 4);
            await("4 deliveries", () -> doomed.bodies().size() == 4);
            doomed.ackOne();
            await("a fifth delivery after one ack", () -> doomed.bodies().size() == 5);
            expect(doomed.bodies(), List.of("1", "2", "3", "4", "5"), "first deliveries");
            doomed.drop();

            await("return of the unacked messages", () -> ready(channel, queue) == 5);
            Worker heir = new Worker(queue, 0);
            await("5 deliveries", () -> heir.bodies().size() >= 5);
            expect(heir.bodies(), List.of("2", "3", "4", "5", "6"), "order after the loss");
            expect(heir.redelivered(), List.of(true, true, true, true, false), "redelivered flags");
            heir.ack();
            heir.connection.close();
            expect(ready(channel, queue), 0L, "ready after all acks");
            channel.queueDelete(queue);
        }
    }

    private static void rpc() throws Exception {
        String queue = "clients.java.rpc";
        try (Connection server = connect(); Connection caller = connect()) {
            Channel serving = server.createChannel();
            freshQueue(serving, queue);
            serving.basicConsume(queue, false, (tag, request) -> {
                int n = Integer.parseInt(text(request.getBody()));
                AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
                        .correlationId(request.getProperties().getCorrelationId()).build();
                serving.basicPublish("", request.getProperties().getReplyTo(), properties,
                        bytes(Integer.toString(n * n)));
                serving.basicAck(request.getEnvelope().getDeliveryTag(), false);
            }, (CancelCallback) tag -> {});

            Channel calling = caller.createChannel();
            String replyQueue = calling.queueDeclare("", false, true, false, null).getQueue();
            expect(replyQueue.startsWith("amq.gen-"), true, replyQueue + " is a name of the broker's");
            Map<String, Integer> answers = new ConcurrentHashMap<>();
            calling.basicConsume(replyQueue, true, (tag, reply) -> answers.put(
                    reply.getProperties().getCorrelationId(), Integer.parseInt(text(reply.getBody()))),
                    (CancelCallback) tag -> {});
            for (int n = 3; n <= 5; n++) {
                calling.basicPublish("", queue, new AMQP.BasicProperties.Builder()
                        .replyTo(replyQueue).correlationId("call-" + n).build(), bytes(Integer.toString(n)));
            }
            await("3 answers", () -> answers.size() == 3);
            expect(new TreeMap<>(answers), new TreeMap<>(Map.of("call-3", 9, "call-4", 16, "call-5", 25)),
                    "answers by correlation id");

            try {
                server.createChannel().queueDeclarePassive(replyQueue);
                throw new AssertionError("another connection may use an exclusive queue");
            } catch (IOException refused) {
                expect(replyCode(refused.getCause()), 405, "reply code for an exclusive queue");
            }
            serving.queueDelete(queue);
        }
    }

    private static int replyCode(Throwable closed) {
        return ((AMQP.Channel.Close) ((ShutdownSignalException) closed).getReason()).getReplyCode();
    }

    private static void topic() throws Exception {
        String exchange = "clients.java.topic";
        try (Connection connection = connect()) {
            Channel channel = connection.createChannel();
            channel.exchangeDelete(exchange);
            channel.exchangeDeclare(exchange, "topic", true);
            String orange = bound(channel, exchange, "*.orange.*");
            String rabbits = bound(channel, exchange, "*.*.rabbit", "lazy.#");
            String all = bound(channel, exchange, "#");

            List<String> keys = List.of("quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox",
                    "lazy.brown.fox", "lazy.pink.rabbit", "quick.brown.fox", "orange",
                    "quick.orange.new.rabbit", "lazy.orange.new.rabbit", "lazy", "");
            publishKeys(channel, exchange, keys);
            expect(drain(channel, orange),
                    List.of("quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"), "*.orange.*");
            expect(drain(channel, rabbits),
                    List.of("quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox", "lazy.pink.rabbit",
                            "lazy.orange.new.rabbit", "lazy"),
                    "*.*.rabbit and lazy.#");
            expect(drain(channel, all), keys, "#");

            channel.queueUnbind(rabbits, exchange, "lazy.#");
            publishKeys(channel, exchange, List.of("lazy.pink.rabbit", "lazy.brown.fox"));
            expect(drain(channel, rabbits), List.of("lazy.pink.rabbit"), "*.*.rabbit after lazy.# was unbound");
            channel.exchangeDelete(exchange);
        }
    }

    private static String bound(Channel channel, String exchange, String... patterns) throws IOException {
        String queue = channel.queueDeclare("", false, true, false, null).getQueue();
        for (String pattern : patterns) {
            channel.queueBind(queue, exchange, pattern);
        }
        return queue;
    }

    private static void publishKeys(Channel channel, String exchange, List<String> keys) throws IOException {
        for (String key : keys) {
            channel.basicPublish(exchange, key, null, bytes("<" + key + ">"));
        }
    }

    private static List<String> drain(Channel channel, String queue) throws IOException {
        List<String> got = new ArrayList<>();
        for (GetResponse message; (message = channel.basicGet(queue, true)) != null; ) {
            String key = message.getEnvelope().getRoutingKey();
            expect(text(message.getBody()), "<" + key + ">", "body beside its routing key");
            got.add(key);
        }
        return got;
    }

    private static void confirms() throws Exception {
        try (Connection connection = connect()) {
            Channel channel = connection.createChannel();
            String queue = channel.queueDeclare("", false, true, false, null).getQueue();
            channel.confirmSelect();
            for (int i = 0; i < 100; i++) {
                channel.basicPublish("", queue, null, bytes("message " + i));
            }
            expect(channel.waitForConfirms(15_000), true, "all confirms are acks");
            expect(ready(channel, queue), 100L, "messages in the queue");

            BlockingQueue<String> events = new LinkedBlockingQueue<>(); // returns and confirms as they come
            channel.addReturnListener((code, reason, exchange, key, properties, body) -> events
                    .add(String.join(" ", "return", Integer.toString(code), reason, key, text(body))));
            channel.addConfirmListener((tag, multiple) -> events.add("ack"), (tag, multiple) -> events.add("nack"));
            channel.basicPublish("", "clients.java.nowhere", true, null, bytes("lost"));
            expect(events.poll(15, TimeUnit.SECONDS), "return 312 NO_ROUTE clients.java.nowhere lost", "the return");
            expect(events.poll(15, TimeUnit.SECONDS), "ack", "what follows the return");

            channel.basicPublish("clients.java.missing", "", null, bytes("nowhere to go"));
            try {
                channel.waitForConfirms(15_000);
                throw new AssertionError("a publish to a missing exchange was confirmed");
            } catch (ShutdownSignalException closed) {
                expect(replyCode(closed), 404, "reply code for a missing exchange");
            }
            expect(ready(connection.createChannel(), queue), 100L, "messages in the queue, by a new channel");
        }
    }
}
