// Package amqp is the wire: the frames, methods, field tables, properties and reply codes of AMQP 0-9-1
// (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf) as RabbitMQ 3.10.8 speaks it, with its extensions.
// It knows no sockets, queues, configuration or logging.
//
// A frame is read with a [Reader] as a view of its buffer, a method is decoded from the frame's payload into its
// struct, and everything that is sent is appended to a []byte:
//
//	reader.Next → Frame → SplitMethod → BasicPublish.Decode
//	                    → DecodeContentHeader → Properties.Decode
//
//	BeginFrame → BasicDeliver.Append → EndFrame → AppendContentHeader → AppendBody
//
// Decoding copies strings and field tables, while []byte fields, [Properties] and [RawTable] are views that stay
// valid as long as the bytes they were decoded from: those of a frame, until the next Reader.Fill.
//
// The methods are generated from spec/amqp0-9-1.txt, one file per class; what is an idea and not a table is
// written by hand. Whatever the peer did wrong is an [*Error] with RabbitMQ's code and text.
//
// Nothing here starts a goroutine or locks: a Reader belongs to the goroutine that reads the connection, all else
// are values and pure functions.
package amqp

//go:generate go run ./internal/gen -spec spec/amqp0-9-1.txt -out .
