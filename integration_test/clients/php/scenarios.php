<?php

// The scenarios of ../README.md with php-amqplib.

declare(strict_types=1);

require 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Exception\AMQPTimeoutException;
use PhpAmqpLib\Message\AMQPMessage;

const DEADLINE = 15; // seconds for anything that is waited for

// The library reads and writes properties of its own that PHP 8.2 finds old.
error_reporting(E_ALL & ~E_DEPRECATED);
// Warnings are faults here, save those of a call that said so with @.
set_error_handler(function (int $level, string $text, string $file, int $line): bool {
    if (error_reporting() & $level) {
        throw new ErrorException($text, 0, $level, $file, $line);
    }
    return true;
});

function connect(): AMQPStreamConnection
{
    return new AMQPStreamConnection(
        getenv('AMQP_HOST') ?: 'localhost',
        (int) (getenv('AMQP_PORT') ?: 5672),
        getenv('AMQP_USER') ?: 'guest',
        getenv('AMQP_PASSWORD') ?: 'guest',
        getenv('AMQP_VHOST') ?: '/',
        read_write_timeout: DEADLINE,
        channel_rpc_timeout: DEADLINE,
    );
}

function expect(mixed $got, mixed $want, string $what): void
{
    if ($got !== $want) {
        throw new Exception("$what: got " . json_encode($got) . ', want ' . json_encode($want));
    }
}

/** Serves the channels until $done() holds. */
function await(string $what, callable $done, AMQPChannel ...$channels): void
{
    $end = microtime(true) + DEADLINE;
    while (!$done()) {
        if (microtime(true) > $end) {
            throw new Exception("timeout: $what");
        }
        foreach ($channels as $channel) {
            try {
                $channel->wait(null, true, 0.005);
            } catch (AMQPTimeoutException) {
                // nothing came in
            }
        }
    }
}

function freshQueue(AMQPChannel $channel, string $queue): void
{
    $channel->queue_delete($queue);
    $channel->queue_declare($queue, durable: true, auto_delete: false);
}

function ready(AMQPChannel $channel, string $queue): int
{
    return $channel->queue_declare($queue, passive: true)[1];
}

/** Polls the length of a queue. */
function awaitReady(AMQPChannel $channel, string $queue, int $count, string $what): void
{
    await($what, function () use ($channel, $queue, $count): bool {
        usleep(5000);
        return ready($channel, $queue) === $count;
    });
}

/** Collects deliveries and acks them when told to. */
final class Worker
{
    public AMQPStreamConnection $connection;
    public AMQPChannel $channel;
    /** @var string[] */
    public array $bodies = [];
    /** @var bool[] */
    public array $redelivered = [];
    /** @var AMQPMessage[] */
    private array $unacked = [];

    public function __construct(string $queue, int $prefetch)
    {
        $this->connection = connect();
        $this->channel = $this->connection->channel();
        $this->channel->basic_qos(0, $prefetch, false);
        $this->channel->basic_consume($queue, callback: function (AMQPMessage $message): void {
            $this->bodies[] = $message->getBody();
            $this->redelivered[] = (bool) $message->isRedelivered();
            $this->unacked[] = $message;
        });
    }

    public function ackOne(): void
    {
        array_shift($this->unacked)->ack();
    }

    public function ack(): void
    {
        while ($this->unacked) {
            $this->ackOne();
        }
    }
}

function workQueue(): void
{
    $queue = 'clients.php.work';
    $connection = connect();
    $channel = $connection->channel();
    freshQueue($channel, $queue);
    $sent = array_map(fn (int $i): string => "job $i", range(0, 99));
    foreach ($sent as $body) {
        $message = new AMQPMessage($body, ['delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT]);
        $channel->basic_publish($message, '', $queue);
    }
    awaitReady($channel, $queue, 100, '100 messages in the queue');

    $workers = [new Worker($queue, 5), new Worker($queue, 5)];
    $channels = array_column($workers, 'channel');
    $bodies = fn (): array => array_merge(...array_column($workers, 'bodies'));
    $full = fn (): bool => min(array_map('count', array_column($workers, 'bodies'))) >= 5;
    await('5 messages for each worker', $full, ...$channels);
    expect(ready($channel, $queue), 90, 'ready beside two full prefetch windows');
    expect(count($bodies()), 10, 'deliveries within two prefetches of 5');

    await('100 deliveries', function () use ($workers, $bodies): bool {
        foreach ($workers as $worker) {
            $worker->ack();
        }
        return count($bodies()) >= 100;
    }, ...$channels);
    $got = $bodies();
    sort($got);
    sort($sent);
    expect($got, $sent, 'messages of both workers');
    $marked = array_merge(...array_column($workers, 'redelivered'));
    expect(in_array(true, $marked, true), false, 'any redelivered flag');
    foreach ($workers as $worker) {
        $worker->ack();
        $worker->connection->close();
    }
    expect(ready($channel, $queue), 0, 'ready after all acks');
    $channel->queue_delete($queue);
    $connection->close();
}

function redelivery(): void
{
    $queue = 'clients.php.redelivery';
    $connection = connect();
    $channel = $connection->channel();
    freshQueue($channel, $queue);
    foreach (range(1, 6) as $i) {
        $channel->basic_publish(new AMQPMessage((string) $i), '', $queue);
    }
    awaitReady($channel, $queue, 6, '6 messages in the queue');

    $doomed = new Worker($queue, 4);
    await('4 deliveries', fn (): bool => count($doomed->bodies) === 4, $doomed->channel);
    $doomed->ackOne();
    await('a fifth delivery after one ack', fn (): bool => count($doomed->bodies) === 5, $doomed->channel);
    expect($doomed->bodies, ['1', '2', '3', '4', '5'], 'first deliveries');
    $doomed->connection->getIO()->close();

    awaitReady($channel, $queue, 5, 'return of the unacked messages');
    $heir = new Worker($queue, 0);
    await('5 deliveries', fn (): bool => count($heir->bodies) >= 5, $heir->channel);
    expect($heir->bodies, ['2', '3', '4', '5', '6'], 'order after the loss');
    expect($heir->redelivered, [true, true, true, true, false], 'redelivered flags');
    $heir->ack();
    $heir->connection->close();
    expect(ready($channel, $queue), 0, 'ready after all acks');
    $channel->queue_delete($queue);
    $connection->close();
}

function rpc(): void
{
    $queue = 'clients.php.rpc';
    $server = connect();
    $serving = $server->channel();
    freshQueue($serving, $queue);
    $serving->basic_consume($queue, callback: function (AMQPMessage $request) use ($serving): void {
        $answer = new AMQPMessage(
            (string) ((int) $request->getBody()) ** 2,
            ['correlation_id' => $request->get('correlation_id')],
        );
        $serving->basic_publish($answer, '', $request->get('reply_to'));
        $request->ack();
    });

    $caller = connect();
    $calling = $caller->channel();
    [$replyQueue] = $calling->queue_declare('', exclusive: true);
    expect(substr($replyQueue, 0, 8), 'amq.gen-', "start of the broker's queue name");
    $answers = [];
    $calling->basic_consume($replyQueue, no_ack: true, callback: function (AMQPMessage $reply) use (&$answers): void {
        $answers[$reply->get('correlation_id')] = (int) $reply->getBody();
    });
    foreach ([3, 4, 5] as $n) {
        $request = new AMQPMessage((string) $n, ['reply_to' => $replyQueue, 'correlation_id' => "call-$n"]);
        $calling->basic_publish($request, '', $queue);
    }
    await('3 answers', function () use (&$answers): bool {
        return count($answers) === 3;
    }, $serving, $calling);
    ksort($answers);
    expect($answers, ['call-3' => 9, 'call-4' => 16, 'call-5' => 25], 'answers by correlation id');

    try {
        $server->channel()->queue_declare($replyQueue, passive: true);
        throw new Exception('another connection may use an exclusive queue');
    } catch (AMQPProtocolChannelException $closed) {
        expect($closed->amqp_reply_code, 405, 'reply code for an exclusive queue');
    }
    $serving->queue_delete($queue);
    $caller->close();
    $server->close();
}

function topic(): void
{
    $exchange = 'clients.php.topic';
    $connection = connect();
    $channel = $connection->channel();
    $channel->exchange_delete($exchange);
    $channel->exchange_declare($exchange, 'topic', durable: true, auto_delete: false);
    $bound = function (string ...$patterns) use ($channel, $exchange): string {
        [$queue] = $channel->queue_declare('', exclusive: true);
        foreach ($patterns as $pattern) {
            $channel->queue_bind($queue, $exchange, $pattern);
        }
        return $queue;
    };
    $orange = $bound('*.orange.*');
    $rabbits = $bound('*.*.rabbit', 'lazy.#');
    $all = $bound('#');

    $keys = [
        'quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox', 'lazy.brown.fox', 'lazy.pink.rabbit',
        'quick.brown.fox', 'orange', 'quick.orange.new.rabbit', 'lazy.orange.new.rabbit', 'lazy', '',
    ];
    $publish = function (string ...$keys) use ($channel, $exchange): void {
        foreach ($keys as $key) {
            $channel->basic_publish(new AMQPMessage("<$key>"), $exchange, $key);
        }
    };
    $drain = function (string $queue) use ($channel): array {
        $got = [];
        while ($message = $channel->basic_get($queue, no_ack: true)) {
            expect($message->getBody(), "<{$message->getRoutingKey()}>", 'body beside its routing key');
            $got[] = $message->getRoutingKey();
        }
        return $got;
    };
    $publish(...$keys);
    expect($drain($orange), ['quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox'], '*.orange.*');
    expect($drain($rabbits), [
        'quick.orange.rabbit', 'lazy.orange.elephant', 'lazy.brown.fox', 'lazy.pink.rabbit',
        'lazy.orange.new.rabbit', 'lazy',
    ], '*.*.rabbit and lazy.#');
    expect($drain($all), $keys, '#');

    $channel->queue_unbind($rabbits, $exchange, 'lazy.#');
    $publish('lazy.pink.rabbit', 'lazy.brown.fox');
    expect($drain($rabbits), ['lazy.pink.rabbit'], '*.*.rabbit after lazy.# was unbound');
    $channel->exchange_delete($exchange);
    $connection->close();
}

function confirms(): void
{
    $connection = connect();
    $channel = $connection->channel();
    [$queue] = $channel->queue_declare('', exclusive: true);
    $events = []; // returns and confirms as they come
    $channel->set_ack_handler(function () use (&$events): void {
        $events[] = 'ack';
    });
    $channel->set_nack_handler(function () use (&$events): void {
        $events[] = 'nack';
    });
    $channel->set_return_listener(
        function (int $code, string $text, string $exchange, string $key, AMQPMessage $message) use (&$events): void {
            $events[] = "return $code $text $key {$message->getBody()}";
        }
    );
    $channel->confirm_select();
    foreach (range(0, 99) as $i) {
        $channel->basic_publish(new AMQPMessage("message $i"), '', $queue);
    }
    $channel->wait_for_pending_acks(DEADLINE);
    expect(array_count_values($events), ['ack' => 100], 'confirms');
    expect(ready($channel, $queue), 100, 'messages in the queue');

    $events = [];
    $channel->basic_publish(new AMQPMessage('lost'), '', 'clients.php.nowhere', mandatory: true);
    $channel->wait_for_pending_acks_returns(DEADLINE);
    expect($events, ['return 312 NO_ROUTE clients.php.nowhere lost', 'ack'], 'the return and then its ack');

    $channel->basic_publish(new AMQPMessage('nowhere to go'), 'clients.php.missing');
    try {
        $channel->wait_for_pending_acks(DEADLINE);
        throw new Exception('a publish to a missing exchange was confirmed');
    } catch (AMQPProtocolChannelException $closed) {
        expect($closed->amqp_reply_code, 404, 'reply code for a missing exchange');
    }
    expect(ready($connection->channel(), $queue), 100, 'messages in the queue, by a new channel');
    $connection->close();
}

$failed = false;
$scenarios = [
    'work-queue' => 'workQueue', 'redelivery' => 'redelivery', 'rpc' => 'rpc',
    'topic' => 'topic', 'confirms' => 'confirms',
];
foreach ($scenarios as $name => $scenario) {
    try {
        $scenario();
        echo "ok $name\n";
    } catch (Throwable $fault) { // reported, and the next scenario gets its turn
        fwrite(STDERR, "$fault\n");
        echo "not ok $name: {$fault->getMessage()}\n";
        $failed = true;
    }
}
exit($failed ? 1 : 0);
