package amqptest_test

import (
	"context"
	"fmt"
	"log"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// In a test, NewServer(t) takes the place of Start and Close.
func Example() {
	broker, err := amqptest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()

	conn, err := amqp091.Dial(broker.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ch.QueueDeclare("orders", false, false, false, false, nil); err != nil {
		log.Fatal(err)
	}
	if err := ch.PublishWithContext(context.Background(), "", "orders", false, false, amqp091.Publishing{Body: []byte("two rabbits")}); err != nil {
		log.Fatal(err)
	}
	orders, err := ch.Consume("orders", "", true, false, false, false, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", (<-orders).Body)
	// Output: two rabbits
}
