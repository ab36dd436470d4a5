// Command retry gives a job back until its queue gives it up.
package main

import (
	"context"
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
	if _, err := ch.QueueDeclare("jobs.dead", true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := ch.QueueDeclare("jobs", true, false, false, false, amqp.Table{
		"x-retry":                   "100ms,200ms,400ms",
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": "jobs.dead",
	}); err != nil {
		return err
	}
	jobs, err := ch.Consume("jobs", "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	dead, err := ch.Consume("jobs.dead", "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	job := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("a job that fails")}
	if err := ch.PublishWithContext(context.Background(), "", "jobs", false, false, job); err != nil {
		return err
	}
	for began := time.Now(); ; {
		select {
		case d := <-jobs:
			fmt.Println("after", time.Since(began).Round(10*time.Millisecond), "with count", d.Headers["x-delivery-count"])
			if err := d.Nack(false, true); err != nil {
				return err
			}
		case d := <-dead:
			fmt.Println("given up:", string(d.Body), d.Headers["x-first-death-reason"])
			return nil
		}
	}
}
