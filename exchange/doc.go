// Package exchange decides who gets a message: exchanges, bindings and the routing of AMQP 0-9-1 (spec section 2.1.2
// and 3.1) with RabbitMQ's extensions: exchange-to-exchange bindings, alternate exchanges, sender-selected
// distribution (CC and BCC) and the rules of RabbitMQ 3.10.8 wherever the specification leaves room.
//
// It knows nothing of vhosts beyond their name, of permissions, of policies or of what a queue does with a message;
// the caller resolves names, checks rights and delivers.
//
// # Concurrency
//
// Changes and routing run beside each other. Whoever changes an exchange (Bind, Unbind, UnbindAll) or reads its list
// of bindings (Bindings, BindingsTo, BindingCount) holds the topology lock of the vhost; for reading, a shared hold
// is enough. Route takes no lock, waits for nobody and allocates nothing once its scratch space has grown: it sees
// every change that was complete when it began, and each change that happens meanwhile either wholly or not at all.
//
// To make that cheap at both ends there is exactly one kind of shared memory: values that are never written after
// they were published through an atomic pointer. Two small structures are built from it, list (a set that is walked)
// and index (a hash table that is asked), and every exchange type is built from these two.
//
// # A new exchange type
//
// A type is a file that declares one value of kind and a line for it in the table of kind.go.
package exchange
