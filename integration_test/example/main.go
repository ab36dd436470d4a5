// Command example publishes a message with a confirm and consumes it with an acknowledgement.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func main() {
	if err := run("amqp://guest:guest@localhost:5672/"); err != nil {
		log.Fatal(err)
	}
}

func run(url string) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	queue, err := ch.QueueDeclare("orders", true, false, false, false, nil) // durable
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	// Publish, and wait until the broker has taken charge of the message.
	if err := ch.Confirm(false); err != nil {
		return err
	}
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue.Name, true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent,
		ContentType:  "text/plain",
		Body:         []byte("a pot of tea"),
	})
	if err != nil {
		return err
	}
	if acked, err := confirm.WaitContext(ctx); err != nil {
		return err
	} else if !acked {
		return errors.New("the broker refused the message")
	}

	// Consume. A message that is not acknowledged goes back to the queue when the connection ends.
	deliveries, err := ch.ConsumeWithContext(ctx, queue.Name, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	order, ok := <-deliveries
	if !ok {
		return errors.New("no message came")
	}
	fmt.Printf("received %s\n", order.Body)
	return order.Ack(false)
}
