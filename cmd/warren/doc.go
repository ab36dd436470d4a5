// Command warren is the broker: it reads settings, opens the listeners, wires the packages together and waits for the
// signal to stop.
//
// Everything that a user can set is one line of the table in settings.go, which the flags, the WARREN_ environment
// variables, the configuration file, the help text and the table of docs/operations.md all come from. AMQP's rules are
// not here: they are in the packages that this one wires.
package main
