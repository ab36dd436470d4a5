# The scenarios of ../README.md with bunny.

require 'bunny'

DEADLINE = 15 # seconds for anything that is waited for

# Ignored takes the errors of a connection that is to be lost; else the library
# raises them in the thread that opened it.
Ignored = Class.new { def raise(*) = nil }

def connect(**options)
  Bunny.new(
    host: ENV.fetch('AMQP_HOST', 'localhost'),
    port: Integer(ENV.fetch('AMQP_PORT', '5672')),
    user: ENV.fetch('AMQP_USER', 'guest'),
    password: ENV.fetch('AMQP_PASSWORD', 'guest'),
    vhost: ENV.fetch('AMQP_VHOST', '/'),
    connection_name: 'clients.ruby',
    automatically_recover: false,
    log_level: Logger::FATAL, # a lost connection is part of the game
    **options
  ).start
end

def expect(got, want, what)
  raise "#{what}: got #{got.inspect}, want #{want.inspect}" unless got == want
end

# wait polls until the block holds.
def wait(what)
  stop = Process.clock_gettime(Process::CLOCK_MONOTONIC) + DEADLINE
  until yield
    raise "timeout: #{what}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > stop

    sleep 0.005
  end
end

def fresh_queue(channel, name)
  channel.queue_delete(name)
  channel.queue(name, durable: true)
end

def ready(channel, queue)
  channel.queue_declare(queue, passive: true).message_count
end

# Worker collects deliveries and acks them when told to. Deliveries come in on
# a thread of the library's, hence the queues.
class Worker
  attr_reader :connection, :channel, :deliveries

  def initialize(queue, prefetch, **options)
    @connection = connect(**options)
    @channel = @connection.create_channel
    @channel.basic_qos(prefetch)
    @deliveries = []
    @unacked = Queue.new
    @channel.queue(queue, passive: true).subscribe(manual_ack: true) do |delivery, _properties, body|
      @unacked << delivery.delivery_tag
      @deliveries << [body, delivery.redelivered?]
    end
  end

  def bodies = deliveries.map(&:first)

  def redelivered = deliveries.map(&:last)

  def ack_one = @channel.ack(@unacked.pop)

  def ack
    ack_one until @unacked.empty?
  end
end

def work_queue
  queue = 'clients.ruby.work'
  connection = connect
  channel = connection.create_channel
  fresh_queue(channel, queue)
  sent = Array.new(100) { |i| "job #{i}" }
  sent.each { |body| channel.default_exchange.publish(body, routing_key: queue, persistent: true) }
  wait('100 messages in the queue') { ready(channel, queue) == 100 }

  workers = [Worker.new(queue, 5), Worker.new(queue, 5)]
  wait('5 messages for each worker') { workers.all? { |worker| worker.deliveries.size >= 5 } }
  expect(ready(channel, queue), 90, 'ready beside two full prefetch windows')
  workers.each { |worker| expect(worker.deliveries.size, 5, 'deliveries within a prefetch of 5') }

  wait('100 deliveries') do
    workers.each(&:ack)
    workers.sum { |worker| worker.deliveries.size } >= 100
  end
  expect(workers.flat_map(&:bodies).sort, sent.sort, 'messages of both workers')
  expect(workers.flat_map(&:redelivered).any?, false, 'any redelivered flag')
  workers.each(&:ack)
  workers.each { |worker| worker.connection.close }
  expect(ready(channel, queue), 0, 'ready after all acks')
  channel.queue_delete(queue)
  connection.close
end

def redelivery
  queue = 'clients.ruby.redelivery'
  connection = connect
  channel = connection.create_channel
  fresh_queue(channel, queue)
  (1..6).each { |i| channel.default_exchange.publish(i.to_s, routing_key: queue) }
  wait('6 messages in the queue') { ready(channel, queue) == 6 }

  doomed = Worker.new(queue, 4, session_error_handler: Ignored.new)
  wait('4 deliveries') { doomed.deliveries.size == 4 }
  doomed.ack_one
  wait('a fifth delivery after one ack') { doomed.deliveries.size == 5 }
  expect(doomed.bodies, %w[1 2 3 4 5], 'first deliveries')
  doomed.connection.transport.socket.shutdown # a close would wait for the thread that reads

  wait('return of the unacked messages') { ready(channel, queue) == 5 }
  heir = Worker.new(queue, 0)
  wait('5 deliveries') { heir.deliveries.size >= 5 }
  expect(heir.bodies, %w[2 3 4 5 6], 'order after the loss')
  expect(heir.redelivered, [true, true, true, true, false], 'redelivered flags')
  heir.ack
  heir.connection.close
  expect(ready(channel, queue), 0, 'ready after all acks')
  channel.queue_delete(queue)
  connection.close
end

def rpc
  queue = 'clients.ruby.rpc'
  server = connect
  serving = server.create_channel
  fresh_queue(serving, queue).subscribe(manual_ack: true) do |delivery, properties, body|
    serving.default_exchange.publish(
      (body.to_i**2).to_s,
      routing_key: properties.reply_to,
      correlation_id: properties.correlation_id
    )
    serving.ack(delivery.delivery_tag)
  end

  caller = connect
  calling = caller.create_channel
  reply_queue = calling.queue('', exclusive: true)
  expect(reply_queue.name[0, 8], 'amq.gen-', "start of the broker's queue name")
  answers = {}
  reply_queue.subscribe { |_delivery, properties, body| answers[properties.correlation_id] = body.to_i }
  [3, 4, 5].each do |n|
    calling.default_exchange.publish(
      n.to_s, routing_key: queue, reply_to: reply_queue.name, correlation_id: "call-#{n}"
    )
  end
  wait('3 answers') { answers.size == 3 }
  expect(answers, { 'call-3' => 9, 'call-4' => 16, 'call-5' => 25 }, 'answers by correlation id')

  begin
    server.create_channel.queue_declare(reply_queue.name, passive: true)
    raise 'another connection may use an exclusive queue'
  rescue Bunny::ResourceLocked => e
    expect(e.channel_close.reply_code, 405, 'reply code for an exclusive queue')
  end
  serving.queue_delete(queue)
  caller.close
  server.close
end

def topic
  connection = connect
  channel = connection.create_channel
  channel.exchange_delete('clients.ruby.topic')
  exchange = channel.topic('clients.ruby.topic', durable: true)
  bound = lambda do |*patterns|
    queue = channel.queue('', exclusive: true)
    patterns.each { |pattern| queue.bind(exchange, routing_key: pattern) }
    queue
  end
  orange = bound.call('*.orange.*')
  rabbits = bound.call('*.*.rabbit', 'lazy.#')
  all = bound.call('#')

  keys = [
    'quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox', 'lazy.brown.fox', 'lazy.pink.rabbit',
    'quick.brown.fox', 'orange', 'quick.orange.new.rabbit', 'lazy.orange.new.rabbit', 'lazy', ''
  ]
  publish = ->(key) { exchange.publish("<#{key}>", routing_key: key) }
  keys.each(&publish)

  drain = lambda do |queue|
    got = []
    loop do
      delivery, _properties, body = queue.pop
      return got unless delivery

      expect(body, "<#{delivery.routing_key}>", 'body beside its routing key')
      got << delivery.routing_key
    end
  end
  expect(drain.call(orange), %w[quick.orange.rabbit lazy.orange.elephant quick.orange.fox], '*.orange.*')
  expect(
    drain.call(rabbits),
    %w[quick.orange.rabbit lazy.orange.elephant lazy.brown.fox lazy.pink.rabbit lazy.orange.new.rabbit lazy],
    '*.*.rabbit and lazy.#'
  )
  expect(drain.call(all), keys, '#')

  rabbits.unbind(exchange, routing_key: 'lazy.#')
  %w[lazy.pink.rabbit lazy.brown.fox].each(&publish)
  expect(drain.call(rabbits), %w[lazy.pink.rabbit], '*.*.rabbit after lazy.# was unbound')
  exchange.delete
  connection.close
end

def confirms
  connection = connect
  channel = connection.create_channel
  queue = channel.queue('', exclusive: true)
  exchange = channel.default_exchange # one object: returns go to the latest
  events = Queue.new # of returns and confirms, in the order they came
  channel.confirm_select(->(_tag, _multiple, nack) { events << (nack ? :nack : :ack) })
  100.times { |i| exchange.publish("message #{i}", routing_key: queue.name) }
  expect(channel.wait_for_confirms, true, 'all confirms are acks')
  expect(ready(channel, queue.name), 100, 'messages in the queue')

  events.clear
  exchange.on_return do |info, _properties, body|
    events << [info.reply_code, info.reply_text, info.routing_key, body]
  end
  exchange.publish('lost', routing_key: 'clients.ruby.nowhere', mandatory: true)
  expect(channel.wait_for_confirms, true, 'an unroutable message is acked')
  wait('the return and its ack') { events.size == 2 }
  returned = [312, 'NO_ROUTE', 'clients.ruby.nowhere', 'lost']
  expect([events.pop, events.pop], [returned, :ack], 'the return and then its ack')

  channel.basic_publish('nowhere to go', 'clients.ruby.missing', '')
  wait('the channel closes') { channel.closed? }
  second = connection.create_channel # a round trip, after which the reason is known, too
  begin
    channel.basic_qos(1)
    raise 'a closed channel still works'
  rescue Bunny::ChannelAlreadyClosed => e
    reason = "NOT_FOUND - no exchange 'clients.ruby.missing'"
    raise "closed for another reason: #{e.message}" unless e.message.include?(reason)
  end
  expect(ready(second, queue.name), 100, 'messages in the queue, by a new channel')
  connection.close
end

$stdout.sync = true
failed = false
{ 'work-queue' => :work_queue, 'redelivery' => :redelivery, 'rpc' => :rpc,
  'topic' => :topic, 'confirms' => :confirms }.each do |name, scenario|
  send(scenario)
  puts "ok #{name}"
rescue StandardError => e # reported, and the next scenario gets its turn
  warn e.full_message
  puts "not ok #{name}: #{e.message}"
  failed = true
end
exit(!failed)
