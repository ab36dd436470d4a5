// Package crash kills brokers and looks at what is left.
//
// A broker runs as a process of its own and is killed, or its disk loses power, while clients are at work. The clients
// keep a log of what they asked for and what they were told. The broker is started again and everything in it is
// compared with that log: nothing that was confirmed may be missing, nothing may be back whose ack was durable, order,
// counts and flags must be right, transactions done or not done, definitions there or not there.
//
//   - script: a client that is alone with its queues and knows what each answer must be. After a stop the broker must be
//     exactly where it was after some step of the script, not before the last one that is proven durable.
//   - traffic: many publishers and consumers at the same queues.
//   - tokens: messages that transactions move around; each is always in one place.
//
// Disks also fill up and fail under a broker, without a crash of its own: it must stop taking messages, not end by a SIGBUS,
// and never confirm what is not stored.
//
// "make crash" runs it at length; "go test" a few rounds. A power cut needs root and loop devices.
package crash
