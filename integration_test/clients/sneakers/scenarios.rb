# The scenario of ../README.md for workers that retry as Sneakers' Maxretry
# handler has them do, with bunny.

require 'bunny'

DEADLINE = 15 # seconds for anything that is waited for
QUEUE = 'clients.sneakers.work'
RETRY_AFTER = 300 # milliseconds
MAX_RETRIES = 2

def expect(got, want, what)
  raise "#{what}: got #{got.inspect}, want #{want.inspect}" unless got == want
end

def wait(what)
  stop = Process.clock_gettime(Process::CLOCK_MONOTONIC) + DEADLINE
  until yield
    raise "timeout: #{what}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > stop

    sleep 0.005
  end
end

# Topology: what the worker rejects goes to QUEUE-retry, waits there for its time to live, and comes back by
# QUEUE-retry-requeue. What was tried too often is put into QUEUE-error by the worker.
class Topology
  attr_reader :work, :errors, :error_exchange

  def initialize(channel)
    @channel = channel
    remove
    retrying, requeue, @error_exchange = %w[retry retry-requeue error].map { |s| channel.topic("#{QUEUE}-#{s}", durable: true) }
    waiting = channel.queue("#{QUEUE}-retry", durable: true, arguments: {
                              'x-dead-letter-exchange' => requeue.name, 'x-message-ttl' => RETRY_AFTER
                            })
    waiting.bind(retrying, routing_key: '#')
    @errors = channel.queue("#{QUEUE}-error", durable: true)
    @errors.bind(@error_exchange, routing_key: '#')
    @work = channel.queue(QUEUE, durable: true, arguments: { 'x-dead-letter-exchange' => retrying.name })
    @work.bind(requeue, routing_key: '#')
  end

  def remove
    ['', '-retry', '-error'].each { |s| @channel.queue_delete(QUEUE + s) }
    %w[-retry -retry-requeue -error].each { |s| @channel.exchange_delete(QUEUE + s) }
  end
end

# failures tells how often a message was rejected by the worker before.
def failures(properties)
  deaths = (properties.headers || {})['x-death'] || []
  (deaths.find { |d| d['queue'] == QUEUE && d['reason'] == 'rejected' } || { 'count' => 0 })['count']
end

def retry_until_it_fails
  connection = Bunny.new(
    host: ENV.fetch('AMQP_HOST', 'localhost'), port: Integer(ENV.fetch('AMQP_PORT', '5672')),
    user: ENV.fetch('AMQP_USER', 'guest'), password: ENV.fetch('AMQP_PASSWORD', 'guest'),
    vhost: ENV.fetch('AMQP_VHOST', '/'), automatically_recover: false
  ).start
  channel = connection.create_channel
  topology = Topology.new(channel)
  attempts = Queue.new
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  topology.work.subscribe(manual_ack: true) do |delivery, properties, body|
    count = failures(properties)
    attempts << [body, count, Process.clock_gettime(Process::CLOCK_MONOTONIC) - started]
    if body == 'good' || (body == 'flaky' && count == 1)
      channel.ack(delivery.delivery_tag)
    elsif count < MAX_RETRIES
      channel.reject(delivery.delivery_tag)
    else
      topology.error_exchange.publish(body, routing_key: delivery.routing_key, headers: properties.headers, persistent: true)
      channel.ack(delivery.delivery_tag)
    end
  end
  %w[good flaky bad].each { |body| channel.default_exchange.publish(body, routing_key: QUEUE, persistent: true) }
  wait('the bad message among the errors') { topology.errors.message_count == 1 && attempts.size == 6 }

  seen = Array.new(attempts.size) { attempts.pop }
  expect(seen.map { |a| a.first(2) }.sort,
         [['bad', 0], ['bad', 1], ['bad', 2], ['flaky', 0], ['flaky', 1], ['good', 0]], 'attempts by message')
  seen.each do |body, count, at|
    raise "#{body} came back after #{at} s" if at < count * RETRY_AFTER / 1000.0
  end
  _, properties, body = topology.errors.pop
  expect(body, 'bad', 'what is among the errors')
  deaths = properties.headers['x-death'].map { |d| [d['queue'], d['reason'], d['count']] }
  expect(deaths, [["#{QUEUE}-retry", 'expired', 2], [QUEUE, 'rejected', 2]], 'its deaths')
  topology.remove
  connection.close
end

$stdout.sync = true
begin
  retry_until_it_fails
  puts 'ok retry'
rescue StandardError => e
  warn e.full_message
  puts "not ok retry: #{e.message}"
  exit 1
end
