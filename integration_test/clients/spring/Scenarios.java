// The scenarios of ../README.md for retries as Spring applications build them, with the Java client.

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.CancelCallback;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

final class Scenarios {
    private static final String PREFIX = "clients.spring.";

    private interface Scenario {
        void run(Channel channel) throws Exception;
    }

    public static void main(String[] args) {
        boolean ok = holds("dead-letter-retry", Scenarios::deadLetterRetry);
        ok &= holds("backoff", Scenarios::backoff);
        System.exit(ok ? 0 : 1);
    }

    private static boolean holds(String name, Scenario scenario) {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost(setting("AMQP_HOST", "localhost"));
        factory.setPort(Integer.parseInt(setting("AMQP_PORT", "5672")));
        factory.setUsername(setting("AMQP_USER", "guest"));
        factory.setPassword(setting("AMQP_PASSWORD", "guest"));
        factory.setVirtualHost(setting("AMQP_VHOST", "/"));
        try (Connection connection = factory.newConnection("clients.spring")) {
            scenario.run(connection.createChannel());
            System.out.println("ok " + name);
            return true;
        } catch (Exception | AssertionError fault) {
            fault.printStackTrace();
            System.out.println("not ok " + name + ": " + fault);
            return false;
        }
    }

    private static String setting(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    private static void expect(Object got, Object want, String what) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    private static void queue(Channel channel, String name, Map<String, Object> arguments) throws Exception {
        channel.queueDelete(PREFIX + name);
        channel.queueDeclare(PREFIX + name, true, false, false, arguments);
    }

    private static void publish(Channel channel, String queue, AMQP.BasicProperties properties, byte[] body) throws Exception {
        channel.basicPublish("", PREFIX + queue, true, properties, body);
        channel.waitForConfirmsOrDie(15_000);
    }

    private static BlockingQueue<Delivery> consume(Channel channel, String queue) throws Exception {
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        channel.basicConsume(PREFIX + queue, false, (tag, delivery) -> deliveries.add(delivery), (CancelCallback) tag -> {});
        return deliveries;
    }

    private static Delivery next(BlockingQueue<Delivery> deliveries) throws Exception {
        Delivery delivery = deliveries.poll(15, TimeUnit.SECONDS);
        if (delivery == null) {
            throw new AssertionError("timeout: a delivery");
        }
        return delivery;
    }

    private static String text(byte[] body) {
        return new String(body, StandardCharsets.UTF_8);
    }

    /** How often the message was rejected from the work queue, as applications read it from x-death. */
    private static long rejections(AMQP.BasicProperties properties, String queue) {
        Object deaths = properties.getHeaders() == null ? null : properties.getHeaders().get("x-death");
        if (deaths instanceof List<?> list) {
            for (Object death : list) {
                Map<?, ?> row = (Map<?, ?>) death;
                if (row.get("queue").toString().equals(PREFIX + queue) && row.get("reason").toString().equals("rejected")) {
                    return (Long) row.get("count");
                }
            }
        }
        return 0;
    }

    /** Rejected messages wait in a queue with a time to live and come back; after three times the application parks them. */
    private static void deadLetterRetry(Channel channel) throws Exception {
        queue(channel, "retry.wait", Map.of("x-message-ttl", 200, "x-dead-letter-exchange", "",
                "x-dead-letter-routing-key", PREFIX + "retry"));
        queue(channel, "retry", Map.of("x-queue-type", "quorum", "x-dead-letter-exchange", "",
                "x-dead-letter-routing-key", PREFIX + "retry.wait"));
        queue(channel, "retry.parked", Map.of());
        channel.confirmSelect();
        channel.basicQos(10);
        publish(channel, "retry", new AMQP.BasicProperties.Builder().deliveryMode(2).messageId("m1").build(), "order".getBytes());

        BlockingQueue<Delivery> deliveries = consume(channel, "retry");
        List<Long> seen = new ArrayList<>();
        long started = System.nanoTime();
        while (true) {
            Delivery delivery = next(deliveries);
            long before = rejections(delivery.getProperties(), "retry");
            seen.add(before);
            if (before >= 3) {
                publish(channel, "retry.parked", delivery.getProperties(), delivery.getBody());
                channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
                break;
            }
            channel.basicReject(delivery.getEnvelope().getDeliveryTag(), false);
        }
        expect(seen, List.of(0L, 1L, 2L, 3L), "rejections before each delivery");
        long waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
        if (waited < 600) {
            throw new AssertionError("three waits of 200 ms took " + waited + " ms");
        }
        GetResponse parked = channel.basicGet(PREFIX + "retry.parked", true);
        expect(text(parked.getBody()), "order", "the parked message");
        expect(parked.getProps().getMessageId(), "m1", "its message id");
        expect(parked.getProps().getHeaders().get("x-first-death-reason").toString(), "rejected", "its first death");
        for (String name : List.of("retry", "retry.wait", "retry.parked")) {
            channel.queueDelete(PREFIX + name);
        }
    }

    /** The application publishes what failed again, with an expiration that grows, into one waiting queue. */
    private static void backoff(Channel channel) throws Exception {
        queue(channel, "backoff.wait", Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", PREFIX + "backoff"));
        queue(channel, "backoff", Map.of());
        channel.confirmSelect();
        publish(channel, "backoff", new AMQP.BasicProperties.Builder().deliveryMode(2).build(), "order".getBytes());

        BlockingQueue<Delivery> deliveries = consume(channel, "backoff");
        List<Long> waits = List.of(100L, 200L, 400L);
        for (int attempt = 0; attempt < waits.size(); attempt++) {
            Delivery delivery = next(deliveries);
            AMQP.BasicProperties retry = delivery.getProperties().builder().expiration(waits.get(attempt).toString())
                    .headers(Map.of("x-exception-message", "attempt " + attempt, "x-original-routingKey", PREFIX + "backoff"))
                    .build();
            long sent = System.nanoTime();
            publish(channel, "backoff.wait", retry, delivery.getBody());
            channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
            Delivery back = next(deliveries);
            long waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - sent);
            if (waited < waits.get(attempt)) {
                throw new AssertionError("an expiration of " + waits.get(attempt) + " ms took " + waited + " ms");
            }
            Map<String, Object> headers = back.getProperties().getHeaders();
            expect(headers.get("x-exception-message").toString(), "attempt " + attempt, "a header of the application");
            expect(back.getProperties().getExpiration(), null, "expiration after the death");
            Map<?, ?> death = (Map<?, ?>) ((List<?>) headers.get("x-death")).get(0);
            expect(death.get("reason").toString(), "expired", "reason of the death");
            expect(death.get("original-expiration").toString(), waits.get(attempt).toString(), "original-expiration");
            deliveries.add(back);
        }
        channel.basicAck(next(deliveries).getEnvelope().getDeliveryTag(), false);
        expect(channel.queueDeclarePassive(PREFIX + "backoff").getMessageCount(), 0, "messages left");
        for (String name : List.of("backoff", "backoff.wait")) {
            channel.queueDelete(PREFIX + name);
        }
    }
}
