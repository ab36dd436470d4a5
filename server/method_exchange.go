package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

func (ch *channel) exchangeDeclare(m *amqp.ExchangeDeclare) error {
	s := ch.conn.session
	var err error
	if m.Passive {
		err = s.CheckExchange(m.Exchange)
	} else {
		err = s.DeclareExchange(exchange.Config{
			Name: m.Exchange, Type: m.Type,
			Durable: m.Durable, AutoDelete: m.AutoDelete, Internal: m.Internal, Arguments: m.Arguments,
		})
	}
	return ch.answer(err, m.NoWait, &amqp.ExchangeDeclareOk{})
}

func (ch *channel) exchangeDelete(m *amqp.ExchangeDelete) error {
	err := ch.conn.session.DeleteExchange(m.Exchange, m.IfUnused)
	return ch.answer(err, m.NoWait, &amqp.ExchangeDeleteOk{})
}

func (ch *channel) exchangeBind(m *amqp.ExchangeBind) error {
	err := ch.conn.session.BindExchange(m.Destination, m.Source, m.RoutingKey, m.Arguments)
	return ch.answer(err, m.NoWait, &amqp.ExchangeBindOk{})
}

func (ch *channel) exchangeUnbind(m *amqp.ExchangeUnbind) error {
	err := ch.conn.session.UnbindExchange(m.Destination, m.Source, m.RoutingKey, m.Arguments)
	return ch.answer(err, m.NoWait, &amqp.ExchangeUnbindOk{})
}

// answer sends ok, unless the method failed or the client does not wait for an answer.
func (ch *channel) answer(err error, noWait bool, ok amqp.Method) error {
	if err == nil && !noWait {
		ch.conn.send(ch.number, ok)
	}
	return err
}
