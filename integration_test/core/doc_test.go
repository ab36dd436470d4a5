// Package core_test tries a broker in this process from outside: with amqp091-go where a client behaves, and with bytes
// where one does not.
package core_test
